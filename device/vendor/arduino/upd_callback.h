/*
 * A function, or a lambda with what it has caught, kept by value: what the Arduino cores use
 * std::function for, without a heap. What is caught has to be plain data of four pointers at most.
 */
#ifndef UPDRAFT_ARDUINO_CALLBACK_H
#define UPDRAFT_ARDUINO_CALLBACK_H

template <typename Signature> class UpdCallback;

template <typename... Arguments> class UpdCallback<void(Arguments...)>
{
  public:
    UpdCallback() = default;
    UpdCallback(decltype(nullptr))
    {
    }
    template <typename Callable> UpdCallback(Callable callable)
    {
        static_assert(sizeof(Callable) <= sizeof _caught,
                      "a callback catches four pointers at most");
        static_assert(__is_trivially_copyable(Callable), "a callback catches plain data only");
        __builtin_memcpy(_caught, &callable, sizeof callable);
        _call = [](void *caught, Arguments... arguments) {
            (*static_cast<Callable *>(caught))(arguments...);
        };
    }
    explicit operator bool() const
    {
        return _call != nullptr;
    }
    void operator()(Arguments... arguments)
    {
        if (_call != nullptr) {
            _call(_caught, arguments...);
        }
    }

  private:
    void (*_call)(void *caught, Arguments... arguments) = nullptr;
    alignas(void *) unsigned char _caught[4 * sizeof(void *)] = {};
};

#endif
