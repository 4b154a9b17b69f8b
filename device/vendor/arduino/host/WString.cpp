#include "WString.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>

String::String(const char *text) : _text(nullptr)
{
    concat(text != nullptr ? text : "", text != nullptr ? strlen(text) : 0);
}

String::String(const String &other) : String(other._text)
{
}

String::String(String &&other) noexcept : String()
{
    *this = static_cast<String &&>(other);
}

String::String(char c) : String()
{
    concat(&c, 1);
}

static String number(unsigned long value, bool negative, int base)
{
    char text[72];
    char *at = text + sizeof text;

    *--at = '\0';
    do {
        *--at = "0123456789abcdef"[value % static_cast<unsigned long>(base)];
        value /= static_cast<unsigned long>(base);
    } while (value > 0);
    if (negative) {
        *--at = '-';
    }
    return String(at);
}

String::String(int value, int base) : String(static_cast<long>(value), base)
{
}

String::String(unsigned value, int base) : String(static_cast<unsigned long>(value), base)
{
}

String::String(long value, int base)
    : String(number(value < 0 ? 0 - static_cast<unsigned long>(value)
                              : static_cast<unsigned long>(value),
                    value < 0, base))
{
}

String::String(unsigned long value, int base) : String(number(value, false, base))
{
}

String::~String()
{
    free(_text);
}

String &String::operator=(const String &other)
{
    if (this != &other) {
        *this = String(other);
    }
    return *this;
}

String &String::operator=(String &&other) noexcept
{
    char *const text = _text;
    const size_t length = _length;

    _text = other._text;
    _length = other._length;
    other._text = text;
    other._length = length;
    return *this;
}

bool String::concat(const char *text, size_t size)
{
    char *const joined = static_cast<char *>(malloc(_length + size + 1));

    if (joined == nullptr) {
        abort();
    }
    if (_length > 0) {
        memcpy(joined, _text, _length);
    }
    memcpy(joined + _length, text, size);
    free(_text);
    _text = joined;
    _length += size;
    _text[_length] = '\0';
    return true;
}

String &String::operator+=(const String &other)
{
    concat(other._text, other._length);
    return *this;
}

String &String::operator+=(const char *text)
{
    concat(text, strlen(text));
    return *this;
}

String &String::operator+=(char c)
{
    concat(&c, 1);
    return *this;
}

String &String::operator+=(int value)
{
    return *this += String(value);
}

bool String::operator==(const String &other) const
{
    return strcmp(_text, other._text) == 0;
}

bool String::equalsIgnoreCase(const String &other) const
{
    String one(*this);
    String two(other);

    one.toLowerCase();
    two.toLowerCase();
    return one == two;
}

bool String::startsWith(const String &start) const
{
    return strncmp(_text, start._text, start._length) == 0;
}

bool String::endsWith(const String &end) const
{
    return _length >= end._length && strcmp(_text + _length - end._length, end._text) == 0;
}

int String::indexOf(const String &part, size_t from) const
{
    const char *const found = from <= _length ? strstr(_text + from, part._text) : nullptr;

    return found == nullptr ? -1 : static_cast<int>(found - _text);
}

String String::substring(size_t from) const
{
    return substring(from, _length);
}

String String::substring(size_t from, size_t to) const
{
    String part;

    to = to < _length ? to : _length;
    if (from < to) {
        part.concat(_text + from, to - from);
    }
    return part;
}

long String::toInt() const
{
    return strtol(_text, nullptr, 10);
}

void String::toLowerCase()
{
    for (size_t i = 0; i < _length; i++) {
        _text[i] = static_cast<char>(tolower(static_cast<unsigned char>(_text[i])));
    }
}

void String::trim()
{
    size_t from = 0;
    size_t to = _length;

    while (from < to && isspace(static_cast<unsigned char>(_text[from])) != 0) {
        from++;
    }
    while (to > from && isspace(static_cast<unsigned char>(_text[to - 1])) != 0) {
        to--;
    }
    *this = substring(from, to);
}

String operator+(const String &left, const String &right)
{
    String sum(left);

    sum += right;
    return sum;
}
