/* The checker with images of the NONOS SDK alone: see image_reduced.h. */
#define UPD_IMAGE_WITH 1
#include "image_reduced.h"
