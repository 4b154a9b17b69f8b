/* What a sketch asks its chip, for the host. */
#ifndef ESP_H
#define ESP_H

#include "Arduino.h"

class EspClass
{
  public:
    uint32_t getChipId() const;
    uint32_t getSketchSize() const;
    uint32_t getFlashChipRealSize() const;
    uint8_t getBootMode() const;
    uint32_t getFreeHeap() const
    {
        return 40000;
    }
    uint8_t getCpuFreqMHz() const
    {
        return 80;
    }
    /** Of the board's flash: updArduino.flash. */
    bool flashEraseSector(uint32_t sector);
    bool flashWrite(uint32_t address, const uint8_t *data, size_t size);
    bool flashRead(uint32_t address, uint8_t *data, size_t size);
    uint32_t random() const;
    void restart();
};
extern EspClass ESP;

#endif
