/* A character display, as sketches write to it, for the host. */
#ifndef LIQUID_CRYSTAL_I2C_H
#define LIQUID_CRYSTAL_I2C_H

#include "Arduino.h"

class LiquidCrystal_I2C : public Print
{
  public:
    using Print::write;
    LiquidCrystal_I2C(uint8_t, uint8_t columns, uint8_t rows) : _columns(columns), _rows(rows)
    {
    }
    void init()
    {
    }
    void backlight()
    {
    }
    size_t write(uint8_t byte) override;
    void setCursor(uint8_t column, uint8_t row);
    void clear();

  private:
    uint8_t _columns;
    uint8_t _rows;
    uint8_t _column = 0;
    uint8_t _row = 0;
};

#endif
