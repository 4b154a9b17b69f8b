/* The checker with Arduino images and their signatures alone: see image_reduced.h. */
#define UPD_IMAGE_WITH 20
#include "image_reduced.h"
