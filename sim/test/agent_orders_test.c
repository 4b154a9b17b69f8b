/*
 * Goal: no order of a server is lost, also where it comes together with the server's answer to who
 * the device is: both lines may arrive in one piece. Method: an agent over a simulated device, with
 * orders that come just then; what it does next is what was ordered.
 */
#include <stdlib.h>
#include <string.h>

#include <updraft/sim_device.h>

#include "check.h"

/* --- A way for orders that a test decides --------------------------------------------------------- */

struct orders {
    enum upd_order order; /* of the next poll */
    bool known;
    enum upd_report told; /* with the last poll */
};

static uint32_t orders_poll(void *ctx, const struct upd_asking *asking, uint32_t now_ms,
                            enum upd_order *order, char version[UPD_VERSION_SIZE])
{
    struct orders *orders = ctx;

    (void)now_ms;
    orders->told = asking->report;
    *order = orders->order;
    orders->order = UPD_ORDER_NONE;
    strcpy(version, "v1.0.1t45772(a)");
    return 1000;
}

static bool orders_are_known(const void *ctx)
{
    return ((const struct orders *)ctx)->known;
}

static void orders_tell(void *ctx, enum upd_tale tale)
{
    (void)ctx;
    (void)tale;
}

static const struct upd_orders way = {orders_poll, orders_are_known, orders_tell};

/* --- A server that is never there ----------------------------------------------------------------- */

static void no_connect(void *ctx, const char *host, uint16_t port, bool tls)
{
    (void)ctx;
    (void)host;
    (void)port;
    (void)tls;
}

static enum upd_wire no_state(void *ctx, enum upd_trouble *why)
{
    (void)ctx;
    (void)why;
    return UPD_WIRE_OPENING;
}

static uint32_t no_send(void *ctx, const void *data, uint32_t size)
{
    (void)ctx;
    (void)data;
    (void)size;
    return 0;
}

static uint32_t no_receive(void *ctx, void *data, uint32_t size)
{
    (void)ctx;
    (void)data;
    (void)size;
    return 0;
}

static void no_close(void *ctx)
{
    (void)ctx;
}

static const struct upd_transport nobody = {no_connect, no_state, no_send,
                                            no_receive, no_close, NULL};

static uint32_t no_random(void *ctx)
{
    (void)ctx;
    return 0;
}

/* --- */

static void test_an_order_in_the_moment_of_the_answer_is_obeyed(void)
{
    static struct sim_device device;
    static struct upd_agent agent;
    static uint8_t buffer[UPD_FETCH_BUFFER];
    struct orders orders = {.order = UPD_ORDER_UPDATE, .known = true};
    struct sim_image image =
        sim_kind_image(SIM_KIND_NONOS, 0, "v1.0.0t45772(a)", SIM_PLAN_WORKS, 9000, 1);
    const struct sim_device_config plain = {
        .kind = SIM_KIND_NONOS,
        .image = &image,
        .protocol = &upd_protocol_plain,
        .url = "http://server/file",
        .transport = &nobody,
        .seed = 1,
    };
    const struct upd_identity identity = {.chip = UPD_CHIP_ESP8266, .version = "v1.0.0t45772(a)"};

    CHECK(sim_device_make(&device, &plain, NULL, 0) == UPD_OK);
    const struct upd_agent_config config = {
        .device = &device.device,
        .transport = &nobody,
        .protocol = &upd_protocol_espressif,
        .url = "http://server",
        .identity = &identity,
        .buffer = buffer,
        .buffer_size = sizeof buffer,
        .orders = &way,
        .orders_ctx = &orders,
        .random = no_random,
    };
    upd_agent_init(&agent, &config, 0);
    (void)upd_agent_poll(&agent, 0);
    CHECK(orders.told == UPD_REPORT_CONFIRMED);
    CHECK(agent.state == UPD_AGENT_CHECKS && strcmp(agent.asking.wanted, "v1.0.1t45772(a)") == 0);
    (void)upd_agent_poll(&agent, 10);
    CHECK(orders.told == UPD_REPORT_NOTHING && agent.state == UPD_AGENT_CHECKS);
    sim_device_free(&device);
    free(image.data);
}

int main(void)
{
    CHECK_RUN(test_an_order_in_the_moment_of_the_answer_is_obeyed);
    check_end();
}
