/*
 * Goal: the host's transport port keeps the promises of transport.h: bytes in order, each once, and
 * as they were sent; ends and breaks told apart; no TLS without trust. And the bad weather is what its
 * seed says. Method: a server in the same process over real sockets; both ends are pumped in turn.
 */
#include <poll.h>

#include <updraft/sim_net.h>

#include "../net/test/peer.h"

enum { BIG = 200000, TURNS = 200000 };

static struct pki pki;
static struct peer peer;
static struct sim_net net;
static struct sim_net_trust *trust;
static uint8_t got[ANSWER_MAX];
static uint32_t got_size;
static uint32_t reply_size;
static enum end reply_end;
static enum door reply_door;

static uint8_t byte_at(uint32_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static void greet(void *ctx, struct peer *from)
{
    (void)ctx;
    from->door = reply_door;
    if (reply_door == DOOR_BABBLES) {
        from->answer.size = reply_size;
        from->answer.end = reply_end;
        memset(from->answer.bytes, 'x', reply_size);
    }
}

static void reply(void *ctx, struct peer *from)
{
    (void)ctx;
    from->answer.size = reply_size;
    from->answer.end = reply_end;
    for (uint32_t i = 0; i < reply_size; i++) {
        from->answer.bytes[i] = byte_at(i);
    }
}

static enum upd_wire state(enum upd_trouble *why)
{
    return net.transport.state(net.transport.ctx, why);
}

static void pump(void)
{
    struct pollfd ends[] = {{.fd = sim_net_fd(&net), .events = sim_net_events(&net)},
                            {.fd = peer.socket, .events = POLLIN},
                            {.fd = peer.listener, .events = POLLIN}};

    if (!peer_pump(&peer, 0)) {
        (void)poll(ends, 3, 1);
    }
}

static enum upd_wire open_to(const char *host, bool tls, enum upd_trouble *why)
{
    peer.tls = tls;
    got_size = 0;
    net.transport.connect(net.transport.ctx, host, peer.port, tls);
    for (uint32_t i = 0; i < TURNS && state(why) == UPD_WIRE_OPENING; i++) {
        pump();
    }
    return state(why);
}

static void send_text(const char *text)
{
    const uint32_t size = (uint32_t)strlen(text);
    enum upd_trouble why = UPD_TROUBLE_NONE;

    for (uint32_t sent = 0, i = 0; sent < size && i < TURNS; i++) {
        if (state(&why) != UPD_WIRE_OPEN) {
            break;
        }
        sent += net.transport.send(net.transport.ctx, text + sent, size - sent);
        pump();
    }
}

/* Until the connection is over, or no more comes for a while. */
static enum upd_wire receive_all(enum upd_trouble *why)
{
    for (uint32_t i = 0, quiet = 0; i < TURNS && quiet < 60; i++) {
        const uint32_t room = 1 + i % 999;
        const uint32_t left = (uint32_t)sizeof got - got_size;
        const uint32_t size =
            net.transport.receive(net.transport.ctx, got + got_size, room < left ? room : left);
        got_size += size;
        quiet = size > 0 ? 0 : quiet + 1;
        if (size == 0 && state(why) != UPD_WIRE_OPEN) {
            break;
        }
        if (size == 0) {
            pump();
        }
    }
    return state(why);
}

static bool is_as_sent(void)
{
    for (uint32_t i = 0; i < got_size; i++) {
        if (got[i] != byte_at(i)) {
            return false;
        }
    }
    return true;
}

static void set_up(uint32_t size, enum end how, enum door door)
{
    peer_hang_up(&peer, false);
    sim_net_open(&net, trust);
    reply_size = size;
    reply_end = how;
    reply_door = door;
}

static void test_bytes_come_in_order_each_once_and_the_end_is_told(void)
{
    static const struct {
        const char *name;
        enum end end;
        enum upd_wire plain, tls;
        enum upd_trouble why_plain, why_tls;
    } ends[] = {
        {"closed", END_CLOSE, UPD_WIRE_ENDED, UPD_WIRE_ENDED, 0, 0},
        {"broken", END_BREAK, UPD_WIRE_BROKEN, UPD_WIRE_BROKEN, UPD_TROUBLE_CONNECTION_LOST,
         UPD_TROUBLE_TLS_BROKEN},
        {"still there", END_HANG, UPD_WIRE_OPEN, UPD_WIRE_OPEN, 0, 0},
    };
    static const uint32_t dribbles[] = {0, 1, 100};

    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t way = 0; way < 6; way++) {
            const bool tls = way % 2 == 1;
            /* A reset may overtake what the kernel still holds: what is sent then is small. */
            const uint32_t size = ends[i].end == END_CLOSE && way < 2 ? BIG : 3000;
            enum upd_trouble why = UPD_TROUBLE_NONE;
            set_up(size, ends[i].end, DOOR_OPEN);
            sim_net_set_weather(&net, &(struct sim_net_weather){.dribble = dribbles[way / 2]});
            CHECK_THAT(ends[i].name, open_to("127.0.0.1", tls, &why) == UPD_WIRE_OPEN);
            send_text("GET / HTTP/1.1\r\n\r\n");
            CHECK_THAT(ends[i].name, receive_all(&why) == (tls ? ends[i].tls : ends[i].plain));
            CHECK_THAT(ends[i].name, why == (tls ? ends[i].why_tls : ends[i].why_plain));
            CHECK_THAT(ends[i].name, got_size == size && is_as_sent());
            CHECK_THAT(ends[i].name, net.received >= size && (tls || net.received == size));
            CHECK_THAT(ends[i].name, tls ? net.sent > 18 : net.sent == 18);
            sim_net_close(&net);
            CHECK_THAT(ends[i].name, sim_net_fd(&net) == -1 && net.session == NULL);
            CHECK_THAT(ends[i].name, state(&why) == UPD_WIRE_CLOSED);
        }
    }
}

/* A server that takes nothing: what send() took arrives all the same when it takes again. */
static void test_what_was_taken_arrives_when_the_server_is_slow(void)
{
    static uint8_t flood[5000];
    static uint8_t taken[4000000];

    for (uint32_t way = 0; way < 2; way++) {
        const bool tls = way == 1;
        enum upd_trouble why = UPD_TROUBLE_NONE;
        uint32_t sent = 0;
        uint32_t arrived = 0;
        set_up(0, END_HANG, DOOR_OPEN);
        CHECK(open_to("127.0.0.1", tls, &why) == UPD_WIRE_OPEN);
        send_text("\r\n\r\n");
        for (uint32_t i = 0; i < 1000 && !peer.asked; i++) {
            pump();
        }
        const int small = 4096;
        setsockopt(peer.socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        setsockopt(net.socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        for (uint32_t refused = 0; refused < 20 && sent < sizeof taken - sizeof flood;) {
            const uint32_t size = 1 + sent % 4999; /* never the same again after a refusal */
            for (uint32_t k = 0; k < size; k++) {
                flood[k] = byte_at(sent + k);
            }
            const uint32_t more =
                net.transport.send(net.transport.ctx, flood, refused > 0 ? (size + 1) / 2 : size);
            sent += more;
            if (more == 0) {
                struct pollfd end = {.fd = net.socket, .events = POLLOUT};
                (void)poll(&end, 1, 1);
                refused++;
            }
        }
        CHECK(sent > 500 && sent < sizeof taken - sizeof flood);
        CHECK((sim_net_events(&net) & POLLOUT) != 0);
        /* And a while longer: nothing comes twice. */
        for (uint32_t quiet = 0; quiet < (arrived < sent ? 20000u : 50u);) {
            const ssize_t size =
                tls ? gnutls_record_recv(peer.session, taken + arrived, sizeof taken - arrived)
                    : recv(peer.socket, taken + arrived, sizeof taken - arrived, MSG_DONTWAIT);
            arrived += size > 0 ? (uint32_t)size : 0;
            quiet = size > 0 ? 0 : quiet + 1;
            if (size <= 0) {
                uint8_t none = 0;
                (void)net.transport.receive(net.transport.ctx, &none, 1);
                struct pollfd end = {.fd = peer.socket, .events = POLLIN};
                (void)poll(&end, 1, 1);
            }
        }
        CHECK(arrived == sent);
        for (uint32_t i = 0; i < arrived; i++) {
            if (taken[i] != byte_at(i)) {
                CHECK_THAT("as it was sent", taken[i] == byte_at(i));
                break;
            }
        }
        sim_net_close(&net);
    }
}

static void test_what_a_server_said_before_it_went_away_is_received(void)
{
    enum upd_trouble why = UPD_TROUBLE_NONE;

    set_up(500, END_CLOSE, DOOR_BABBLES);
    CHECK(open_to("127.0.0.1", false, &why) == UPD_WIRE_OPEN);
    for (uint32_t i = 0; i < 1000 && peer.connections > 0 && peer.socket >= 0; i++) {
        pump();
    }
    for (uint32_t i = 0; i < 100 && state(&why) == UPD_WIRE_OPEN; i++) {
        (void)net.transport.send(net.transport.ctx, "x", 1);
        pump();
    }
    CHECK(state(&why) == UPD_WIRE_BROKEN && why == UPD_TROUBLE_CONNECTION_LOST);
    CHECK(receive_all(&why) == UPD_WIRE_BROKEN);
    CHECK(got_size == 500 && got[0] == 'x' && got[499] == 'x');
    sim_net_close(&net);
}

static void test_names_and_addresses(void)
{
    enum upd_trouble why = UPD_TROUBLE_NONE;

    set_up(10, END_CLOSE, DOOR_OPEN);
    CHECK(open_to("localhost", false, &why) == UPD_WIRE_OPEN);
    CHECK(open_to("::zz", false, &why) == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_ADDRESS);
    CHECK(open_to("127.0.0.9", false, &why) == UPD_WIRE_BROKEN && why == UPD_TROUBLE_UNREACHABLE);
    CHECK(open_to("127.0.0.1", true, &why) == UPD_WIRE_OPEN);
    /* The certificate is for the address, and for no name. */
    CHECK(open_to("localhost", true, &why) == UPD_WIRE_BROKEN && why == UPD_TROUBLE_TLS_WRONG_HOST);
    sim_net_close(&net);
}

static void test_without_trust_there_is_no_tls(void)
{
    enum upd_trouble why = UPD_TROUBLE_NONE;
    const char *text = NULL;

    set_up(10, END_CLOSE, DOOR_OPEN);
    net.trust = NULL;
    const uint32_t before = peer.connections;
    CHECK(open_to("127.0.0.1", true, &why) == UPD_WIRE_BROKEN && why == UPD_TROUBLE_NO_TLS);
    CHECK(peer.connections == before);
    sim_net_close(&net);
    CHECK(sim_net_trust_new("/nowhere/ca.pem", &text) == NULL && text != NULL);
    text = NULL;
    CHECK(sim_net_trust_new_from("nothing", 7, &text) == NULL && text != NULL);
    sim_net_trust_free(NULL);
}

/* How far a number of connections get. */
static uint32_t count_cuts(uint32_t seed, uint32_t permille, uint32_t connections, uint64_t *bytes)
{
    const struct sim_net_weather weather = {
        .seed = seed, .cut_permille = permille, .cut_most = 2000};
    uint32_t cuts = 0;

    set_up(3000, END_CLOSE, DOOR_OPEN);
    sim_net_set_weather(&net, &weather);
    for (uint32_t i = 0; i < connections; i++) {
        enum upd_trouble why = UPD_TROUBLE_NONE;
        CHECK(open_to("127.0.0.1", false, &why) == UPD_WIRE_OPEN);
        send_text("\r\n\r\n");
        const enum upd_wire end = receive_all(&why);
        CHECK(is_as_sent());
        cuts += end == UPD_WIRE_BROKEN;
        if (end == UPD_WIRE_BROKEN) {
            CHECK(why == UPD_TROUBLE_CONNECTION_LOST && got_size <= weather.cut_most);
        } else {
            CHECK(end == UPD_WIRE_ENDED && got_size == 3000);
        }
    }
    *bytes = net.received;
    sim_net_close(&net);
    return cuts;
}

static void test_the_weather_is_what_the_seed_says(void)
{
    uint64_t bytes = 0;
    uint64_t again = 0;
    uint64_t other = 0;

    CHECK(count_cuts(1, 0, 20, &bytes) == 0 && bytes == 20u * 3000u);
    CHECK(count_cuts(1, 1000, 20, &bytes) == 20);
    CHECK(count_cuts(1, 1000, 20, &again) == 20 && again == bytes);
    CHECK(count_cuts(2, 1000, 20, &other) == 20 && other != bytes);
    const uint32_t cuts = count_cuts(3, 300, 100, &bytes);
    CHECK(cuts > 15 && cuts < 45);
}

static void test_a_fleet_has_room(void)
{
    CHECK(sizeof(struct sim_net) <= 192);
}

int main(void)
{
    const char *why = "";

    pki_open(&pki);
    peer_open(&peer, &pki);
    peer.greet = greet;
    peer.reply = reply;
    trust = sim_net_trust_new_from(pki.ca_pem.data, pki.ca_pem.size, &why);
    CHECK_THAT(why, trust != NULL);
    CHECK_RUN(test_bytes_come_in_order_each_once_and_the_end_is_told);
    CHECK_RUN(test_what_was_taken_arrives_when_the_server_is_slow);
    CHECK_RUN(test_what_a_server_said_before_it_went_away_is_received);
    CHECK_RUN(test_names_and_addresses);
    CHECK_RUN(test_without_trust_there_is_no_tls);
    CHECK_RUN(test_the_weather_is_what_the_seed_says);
    CHECK_RUN(test_a_fleet_has_room);
    sim_net_trust_free(trust);
    peer_close(&peer);
    pki_close(&pki);
    check_end();
}
