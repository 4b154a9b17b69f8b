/* ESP-IDF's header, as sketches include it. */
#include "../upd_esp_c.h"
