/* The checker with images of the RTOS SDK alone: see image_reduced.h. */
#define UPD_IMAGE_WITH 2
#include "image_reduced.h"
