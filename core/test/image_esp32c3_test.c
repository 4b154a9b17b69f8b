/* The checker with images of one chip of the ESP32 family alone: see image_reduced.h. */
#define UPD_IMAGE_WITH 8
#define UPD_IMAGE_FOR UPD_CHIP_ESP32C3
#include "image_reduced.h"
