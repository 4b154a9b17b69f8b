/*
 * Goal: Espressif's procedure, steps 1 to 9 of the FOTA document, with its curl requests and its
 * packets, drives a real fleet: what the device is told, what is recorded, what the owner is told.
 * Method: a device is a socket that says the stock client's bytes; the requests run through the
 * router; the clock is the test's own. Nothing is slept for: what comes later is waited for.
 */
#include "fleet_stand.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/espressif.h"
#include "http/http_test.h"

#define OLD "v1.0.0t23701(a)"
#define NEW "v1.0.1t23701(a)"

static struct espressif *espressif;
static struct http_router *router;
static struct product product;
static struct device device;
static struct actor owner;
static char user_key[SECRET_SIZE], owner_key[SECRET_SIZE];

/* --- A fleet with one device and two releases --------------------------------------------------
 */

static void upload(uint8_t slot, uint8_t seed, struct image *image)
{
    struct bytes *bytes = calloc(1, sizeof *bytes);
    struct fleet_upload *begun;

    assert_non_null(bytes);
    make_slot(bytes, slot, seed);
    GOOD(fleet_upload_begin(fleet, &root, product.id, PART_APP, &begun, &error));
    GOOD(fleet_upload_feed(begun, bytes->data, bytes->size, &error));
    GOOD(fleet_upload_end(begun, image, NULL, 0, &error));
    free(bytes);
}

static void add_release(const char *version, uint8_t seed, bool current)
{
    struct image user1, user2;
    struct release release;

    upload(1, seed, &user1);
    upload(2, seed, &user2);
    const struct fleet_release_image images[] = {{PART_USER1, user1.sha256, NULL},
                                                 {PART_USER2, user2.sha256, NULL}};
    const struct fleet_release_new wanted = {
        .version = version, .images = images, .image_count = 2, .current = current};
    GOOD(fleet_release_create(fleet, &root, product.id, &wanted, &release, NULL, &error));
}

static int start(enum consent consent)
{
    struct user user;
    struct token token;
    char session[SECRET_SIZE], activation[SECRET_SIZE], why[LINK_WHY_SIZE];
    static const char *const listen_on[] = {"127.0.0.1:0", NULL};
    const struct link_options options = {.plain = listen_on};
    struct http_table tables[1];

    begin_fleet();
    espressif = espressif_open(fleet, &options, why);
    assert_non_null(espressif);
    tables[0] = espressif_table(espressif);
    router = http_router_new(tables, 1, NULL);
    assert_non_null(router);
    product = (struct product){
        .kind = KIND_NONOS, .chip = UPD_CHIP_ESP8266, .map = 2, .ptype = 23701, .consent = consent};
    strcpy(product.name, "dev-controller");
    GOOD(fleet_product_create(fleet, &root, &product, &error));
    device = (struct device){.map = -1};
    strcpy(device.serial, "3c0001a5");
    GOOD(fleet_device_create(fleet, &root, product.id, &device, &error));
    GOOD(fleet_user_create(fleet, &root, "ann", "correct horse battery", false, &user, &error));
    GOOD(fleet_login(fleet, "ann", "correct horse battery", "127.0.0.1", session, &owner, &error));
    GOOD(fleet_token_create(fleet, &owner, TOKEN_USER_KEY, "app", NULL, 0, user_key, &token,
                            &error));
    GOOD(fleet_token_create(fleet, &owner, TOKEN_ACTIVATION, "box", NULL, 0, activation, &token,
                            &error));
    snprintf(owner_key, sizeof owner_key, "%s", activation); /* until it is exchanged */
    return 0;
}

static int set_up_ask(void **state)
{
    (void)state;
    return start(CONSENT_ASK_REBOOT);
}

static int set_up_automatic(void **state)
{
    (void)state;
    return start(CONSENT_AUTOMATIC);
}

static int tear_down(void **state)
{
    (void)state;
    espressif_close(espressif);
    http_router_free(router);
    return end_fleet();
}

/* --- The device, a socket --------------------------------------------------------------------- */

static int connect_device(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(espressif_port(espressif, false, 0))};
    const struct timeval patience = {.tv_sec = 20};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* Send, with %K for the device's key and %A for the activation token. */
static void tell(int fd, const char *text)
{
    char line[2048] = "";

    for (; *text != '\0'; text++) {
        if (text[0] == '%' && (text[1] == 'K' || text[1] == 'A')) {
            strcat(line, text[1] == 'K' ? device.device_key : owner_key);
            text++;
        } else {
            strncat(line, text, 1);
        }
    }
    assert_int_equal(send(fd, line, strlen(line), MSG_NOSIGNAL), (ssize_t)strlen(line));
}

/* The next piece, which holds `word`. */
static char *hear(int fd, const char *word)
{
    static char piece[2048];
    const ssize_t got = recv(fd, piece, sizeof piece - 1, 0);

    piece[got > 0 ? got : 0] = '\0';
    if (strstr(piece, word) == NULL) {
        fail_msg("not %s: %s", word, piece);
    }
    return piece;
}

static long nonce_of(const char *piece)
{
    return strtol(strstr(piece, "\"nonce\": ") + 9, NULL, 10);
}

#define IDENTIFY                                                                                   \
    "{\"nonce\": 77, \"path\": \"/v1/device/identify\", \"method\": \"GET\",\"meta\": "            \
    "{\"Authorization\": \"token %K\"}}\n"
#define ACTIVATE                                                                                   \
    "{\"nonce\": 4711,\"path\": \"/v1/device/activate/\", \"method\": \"POST\", \"body\": "        \
    "{\"encrypt_method\": \"PLAIN\", \"token\": \"%A\", \"bssid\": \"18:fe:34:aa:bb:cc\","         \
    "\"rom_version\":\"" OLD "\"}, \"meta\": {\"Authorization\": \"token %K\"}}\n"
#define SUCCESS                                                                                    \
    "{\"path\": \"/v1/messages/\", \"method\": \"POST\", \"meta\": {\"Authorization\": \"token "   \
    "%K\"},\"get\":{\"action\":\"device_upgrade_success\"},\"body\":{\"pre_rom_version\":\"" OLD   \
    "\",\"rom_version\":\"" NEW "\"}}\n"

static int activated_device(void)
{
    const int fd = connect_device();

    tell(fd, ACTIVATE);
    hear(fd, "\"activate_status\": 1");
    tell(fd, IDENTIFY);
    assert_int_equal(nonce_of(hear(fd, "device identified")), 77);
    return fd;
}

/* --- Requests --------------------------------------------------------------------------------- */

struct reply {
    unsigned status;
    char body[16384];
    size_t size;
    char length[32];
};

static void request(enum http_method method, const char *key, const char *target, const char *body,
                    struct reply *reply)
{
    char authorization[128];
    const char *headers[] = {authorization, "Content-Type: application/json", NULL};
    const struct http_made made = {.method = method,
                                   .target = target,
                                   .headers = headers,
                                   .body = body,
                                   .size = body != NULL ? strlen(body) : 0,
                                   .plain = true,
                                   .remote = true};
    struct http_shown shown;

    snprintf(authorization, sizeof authorization, "Authorization: token %s", key);
    struct http_exchange *x = http_exchange_make(&made);
    http_router_run(router, x);
    http_answer_of(x, &shown);
    reply->status = shown.status;
    reply->size = shown.size < sizeof reply->body ? shown.size : sizeof reply->body - 1;
    memcpy(reply->body, shown.body != NULL ? shown.body : "", reply->size);
    reply->body[reply->size] = '\0';
    http_exchange_free(x);
}

static void authorize(void)
{
    struct reply reply;
    char body[256];

    snprintf(body, sizeof body, "{\"token\": \"%s\"}", owner_key);
    request(HTTP_POST, user_key, "/v1/key/authorize/?query_devices_mesh=true", body, &reply);
    if (reply.status != 200) {
        fail_msg("%u %s", reply.status, reply.body);
    }
    const char *at = strstr(reply.body, "\"token\": \"") + 10;
    snprintf(owner_key, sizeof owner_key, "%.*s", (int)strcspn(at, "\""), at);
}

static enum update_state newest_state(void)
{
    const struct store_query newest = {.order = "no", .descending = true, .limit = 1};
    struct update update = {.state = -1};
    struct store_view *view = store_read(fleet_store(fleet));

    (void)store_get(view, STORE_UPDATE, &newest, &update);
    store_end(view);
    return (enum update_state)update.state;
}

static void wait_for_state(enum update_state wanted)
{
    for (int i = 0; i < 2000 && newest_state() != wanted; i++) {
        usleep(5000);
    }
    assert_string_equal(update_state_word(newest_state()), update_state_word(wanted));
}

static void fetch(const char *file, enum http_method method, unsigned status, struct reply *reply)
{
    char target[256];

    snprintf(target, sizeof target,
             "/v1/device/rom/?action=download_rom&version=" NEW "&filename=%s", file);
    request(method, device.device_key, target, NULL, reply);
    if (reply->status != status) {
        fail_msg("%s: %u, not %u: %s", target, reply->status, status, reply->body);
    }
}

struct ordering {
    pthread_t thread;
    const char *target;
    struct reply reply;
};

static void *order(void *ctx)
{
    struct ordering *ordering = ctx;

    request(HTTP_GET, owner_key, ordering->target, NULL, &ordering->reply);
    return NULL;
}

/* --- Stories ---------------------------------------------------------------------------------- */

static void test_steps_1_to_9(void **state)
{
    struct ordering ordering = {
        .target = "/v1/device/rpc/?deliver_to_device=true&action=sys_upgrade&version=" NEW};
    struct reply reply;
    char ack[128];

    (void)state;
    add_release(OLD, 1, true);
    const int fd = activated_device(); /* 1, 2 */
    authorize();
    request(HTTP_GET, owner_key, "/v1/device/", NULL, &reply);
    assert_non_null(strstr(reply.body, "\"rom_version\": \"" OLD "\""));
    add_release(NEW, 2, false);
    GOOD(fleet_release_set_current(fleet, &root, product.id, NEW, &error)); /* 3 */
    char *packet = hear(fd, "\"action\": \"sys_upgrade\"");
    assert_non_null(strstr(packet, "\"version\": \"" NEW "\""));
    snprintf(ack, sizeof ack, "{\"status\": 200, \"nonce\": %ld, \"deliver_to_device\": true}\n",
             nonce_of(packet));
    tell(fd, ack);
    pthread_create(&ordering.thread, NULL, order, &ordering);
    packet = hear(fd, "\"action\": \"sys_upgrade\"");
    assert_non_null(strstr(packet, "\"version\": \"" NEW "\""));
    assert_non_null(strstr(packet, "\"deliver_to_device\": \"true\""));
    snprintf(ack, sizeof ack, "{\"status\": 200, \"nonce\": %ld, \"deliver_to_device\": true}\n",
             nonce_of(packet));
    tell(fd, ack);
    pthread_join(ordering.thread, NULL);
    if (ordering.reply.status != 200) {
        fail_msg("%u %s", ordering.reply.status, ordering.reply.body);
    }
    ack[strlen(ack) - 1] = '\0';
    assert_string_equal(ordering.reply.body, ack);
    fetch("user2.bin", HTTP_HEAD, 200, &reply); /* 4 */
    wait_for_state(UPDATE_ACCEPTED);
    fetch("user2.bin", HTTP_GET, 200, &reply); /* 5 */
    assert_true(reply.size > 8192 && reply.size % 4 == 0);
    tell(fd, SUCCESS); /* 6 */
    hear(fd, "send message success");
    wait_for_state(UPDATE_DOWNLOADED);
    request(HTTP_GET, owner_key, "/v1/device/", NULL, &reply); /* 7 */
    assert_non_null(strstr(reply.body, "\"rom_version\": \"" NEW "\""));
    assert_non_null(strstr(reply.body, "\"latest_rom_version\": \"" NEW "\""));
    request(HTTP_GET, owner_key, "/v1/device/rpc/?deliver_to_device=true&action=sys_reboot", NULL,
            &reply); /* 8 */
    if (reply.status != 200) {
        fail_msg("%u %s", reply.status, reply.body);
    }
    hear(fd, "\"action\": \"sys_reboot\""); /* 9 */
    wait_for_state(UPDATE_REBOOTING);
    close(fd);
    const int again = connect_device();
    tell(again, IDENTIFY);
    hear(again, "device identified");
    wait_for_state(UPDATE_RUNNING);
    /* It runs what is current now: nothing is offered to it any more. */
    struct device_facts facts = DEVICE_FACTS_INIT;
    struct fleet_answer answer;
    facts.device_key = device.device_key;
    facts.only_asks = true;
    GOOD(fleet_check(fleet, &facts, &answer, &error));
    assert_string_equal(answer.device.version, NEW);
    assert_int_equal(answer.reason, REASON_CURRENT);
    close(again);
}

static void test_automatic_product_goes_through_by_itself(void **state)
{
    struct reply reply;

    (void)state;
    add_release(OLD, 1, true);
    const int fd = activated_device();
    add_release(NEW, 2, true);
    char ack[128];
    snprintf(ack, sizeof ack, "{\"status\": 200, \"nonce\": %ld, \"deliver_to_device\": true}\n",
             nonce_of(hear(fd, "\"action\": \"sys_upgrade\"")));
    tell(fd, ack);
    fetch("user2.bin", HTTP_HEAD, 200, &reply);
    fetch("user2.bin", HTTP_GET, 200, &reply);
    tell(fd, SUCCESS);
    hear(fd, "send message success");
    hear(fd, "\"action\": \"sys_reboot\"");
    close(fd);
}

static void test_an_owner_is_told_why_there_is_no_upgrade(void **state)
{
    static const struct {
        const char *version, *said;
    } rows[] = {{OLD, "runs " OLD ", which is current"},
                {"v9.9.9t23701(a)", "it is not offered to this device"}};

    (void)state;
    add_release(OLD, 1, true);
    const int fd = activated_device();
    authorize();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char target[256];
        struct reply reply;

        snprintf(target, sizeof target,
                 "/v1/device/rpc/?deliver_to_device=true&action=sys_upgrade&version=%s",
                 rows[i].version);
        request(HTTP_GET, owner_key, target, NULL, &reply);
        assert_int_equal(reply.status, 409);
        if (strstr(reply.body, rows[i].said) == NULL) {
            fail_msg("%s: %s", rows[i].version, reply.body);
        }
    }
    close(fd);
}

static void test_at_firmware_reads_what_is_recommended(void **state)
{
    struct reply reply;

    (void)state;
    add_release(NEW, 2, true);
    request(HTTP_GET, device.device_key, "/v1/device/rom/?is_format_simple=true", NULL, &reply);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.body, "recommended_rom_version\": \"" NEW "\""));
    assert_null(strstr(reply.body, "files"));
}

static void test_strangers_get_nothing(void **state)
{
    static const char wrong[] = "0000000000000000000000000000000000000000";
    struct reply reply;

    (void)state;
    add_release(NEW, 2, false);
    request(HTTP_GET, wrong, "/v1/device/", NULL, &reply);
    assert_int_equal(reply.status, 500);
    request(HTTP_GET, wrong,
            "/v1/device/rom/?action=download_rom&version=" NEW "&filename=user2.bin", NULL, &reply);
    assert_int_equal(reply.status, 401);
    assert_int_equal(reply.size, 0);
    fetch("user3.bin", HTTP_GET, 404, &reply);
    assert_int_equal(reply.size, 0);
    request(HTTP_GET, wrong, "/v1/device/rpc/?deliver_to_device=true&action=sys_reboot", NULL,
            &reply);
    assert_int_equal(reply.status, 500);
    assert_non_null(strstr(reply.body, "devicekey not exists"));
    request(HTTP_GET, user_key, "/v1/user/devices/", NULL, &reply);
    assert_int_equal(reply.status, 200);
    assert_null(strstr(reply.body, "3c0001a5"));
    const int fd = activated_device();
    authorize();
    close(fd);
    request(HTTP_GET, user_key, "/v1/user/devices/?list_by_group=true", NULL, &reply);
    assert_non_null(strstr(reply.body, "3c0001a5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_steps_1_to_9, set_up_ask, tear_down),
        cmocka_unit_test_setup_teardown(test_automatic_product_goes_through_by_itself,
                                        set_up_automatic, tear_down),
        cmocka_unit_test_setup_teardown(test_an_owner_is_told_why_there_is_no_upgrade, set_up_ask,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_at_firmware_reads_what_is_recommended, set_up_ask,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_strangers_get_nothing, set_up_ask, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
