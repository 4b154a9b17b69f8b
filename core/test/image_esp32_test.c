/* The checker with images of the ESP32 family alone, without signatures: see image_reduced.h. */
#define UPD_IMAGE_WITH 8
#include "image_reduced.h"
