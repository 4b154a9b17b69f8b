/* Arduino's String, for the host. */
#ifndef WSTRING_H
#define WSTRING_H

#include <stddef.h>

class String
{
  public:
    String(const char *text = "");
    String(const String &other);
    String(String &&other) noexcept;
    explicit String(char c);
    explicit String(int value, int base = 10);
    explicit String(unsigned value, int base = 10);
    explicit String(long value, int base = 10);
    explicit String(unsigned long value, int base = 10);
    ~String();
    String &operator=(const String &other);
    String &operator=(String &&other) noexcept;

    const char *c_str() const
    {
        return _text;
    }
    size_t length() const
    {
        return _length;
    }
    bool isEmpty() const
    {
        return _length == 0;
    }
    char operator[](size_t index) const
    {
        return index < _length ? _text[index] : '\0';
    }
    bool concat(const char *text, size_t size);
    String &operator+=(const String &other);
    String &operator+=(const char *text);
    String &operator+=(char c);
    String &operator+=(int value);
    bool operator==(const String &other) const;
    bool operator!=(const String &other) const
    {
        return !(*this == other);
    }
    bool equals(const String &other) const
    {
        return *this == other;
    }
    bool equalsIgnoreCase(const String &other) const;
    bool startsWith(const String &start) const;
    bool endsWith(const String &end) const;
    int indexOf(const String &part, size_t from = 0) const;
    String substring(size_t from) const;
    String substring(size_t from, size_t to) const;
    long toInt() const;
    void toLowerCase();
    void trim();

  private:
    char *_text;
    size_t _length = 0;
};

String operator+(const String &left, const String &right);

#endif
