#include <updraft/scheme.h>

#include "flash_ops.h"

const char *upd_fall_text(enum upd_fall fall)
{
    static const char *const texts[] = {
#define X(name, text) text,
        UPD_FALLS(X)
#undef X
    };

    return (uint32_t)fall < sizeof texts / sizeof texts[0] ? texts[fall] : "unknown reason";
}

enum upd_err upd_device_view(struct upd_device *device, struct upd_view *view)
{
    upd_flash_forgive(device);
    return device->scheme->view(device, view);
}

enum upd_err upd_device_start(struct upd_device *device, enum upd_start *todo)
{
    upd_flash_forgive(device);
    *todo = UPD_START_GO_ON;
    return device->scheme->start(device, todo);
}

enum upd_err upd_device_confirm(struct upd_device *device)
{
    upd_flash_forgive(device);
    return device->scheme->confirm(device);
}

enum upd_err upd_device_roll_back(struct upd_device *device)
{
    upd_flash_forgive(device);
    return device->scheme->roll_back(device);
}

enum upd_err upd_device_acknowledge(struct upd_device *device)
{
    upd_flash_forgive(device);
    return device->scheme->acknowledge(device);
}
