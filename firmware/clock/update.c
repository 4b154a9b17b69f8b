/*
 *   ASK_RELEASE -> SEND_RELEASE -> HEAR_RELEASE -> READ_RELEASE ----------------> IDLE
 *                                                       |  another version
 *                          .----------------------------'
 *                          v
 *                      ASK_IMAGE -> SEND_IMAGE -> HEAR_IMAGE -> OPEN_WRITER
 *                          ^                                    |  |  | all is in flash
 *                          '---- a part is in flash already ----'  |  |
 *                                      TAKE_IMAGE <----------------'  v
 *                                          '------------------> END_WRITER -----> IDLE
 */
#include "update.h"

#include "label.h"
#include "text.h"

enum step {
    IDLE,
    ASK_RELEASE,
    SEND_RELEASE,
    HEAR_RELEASE,
    READ_RELEASE,
    ASK_IMAGE,
    SEND_IMAGE,
    HEAR_IMAGE,
    OPEN_WRITER,
    TAKE_IMAGE,
    END_WRITER,
};

void update_init(struct update *update, const struct update_config *config, const struct net *net,
                 struct upd_device *device)
{
    *update = (struct update){.config = *config, .net = *net, .device = device};
}

static void stop(struct update *update, struct clock_inputs *news, enum clock_event event)
{
    update->net.close(update->net.ctx);
    update->step = IDLE;
    news->news = event;
    news->trouble = update->trouble;
}

static void fail(struct update *update, struct clock_inputs *news, const char *trouble)
{
    text_copy(update->trouble, sizeof update->trouble, trouble);
    stop(update, news, CLOCK_EVENT_FAILED);
}

static void refuse(struct update *update, struct clock_inputs *news, const char *trouble)
{
    text_copy(update->trouble, sizeof update->trouble, trouble);
    stop(update, news, CLOCK_EVENT_REFUSED);
}

/* What an error of the writer means to somebody who looks at the display. */
static void give_up(struct update *update, struct clock_inputs *news, enum upd_err err)
{
    switch (err) {
    case UPD_E_SHORT:
    case UPD_E_CHANGED:
        fail(update, news, "Download is broken");
        break;
    case UPD_E_SPACE:
        refuse(update, news, "Image is too large");
        break;
    case UPD_E_TARGET:
    case UPD_E_NOT_FOUND:
        refuse(update, news, "Image does not fit");
        break;
    case UPD_E_IO:
    case UPD_E_VERIFY:
        refuse(update, news, "Flash has failed");
        break;
    case UPD_E_STATE:
        refuse(update, news, "Restart is needed");
        break;
    default:
        refuse(update, news, "Image is damaged");
    }
}

/* --- Asking ---------------------------------------------------------------------------------- */

static void path_of_release(const struct update *update, char path[UPDATE_PATH_SIZE])
{
    struct text text = text_on(path, UPDATE_PATH_SIZE);

    text_add(&text, update->config.folder);
    text_add(&text, "release.txt");
}

static void path_of_image(const struct update *update, char path[UPDATE_PATH_SIZE])
{
    struct text text = text_on(path, UPDATE_PATH_SIZE);

    text_add(&text, update->config.folder);
    text_add(&text, "clock-");
    text_add(&text, update->version);
    text_add(&text, update->config.flavour);
    text_add(&text, "-user");
    text_number(&text, update->config.slot, 1, ' ');
    text_add(&text, ".bin");
}

/* Open the connection; the request follows when it is there. */
static void ask(struct update *update)
{
    update->piece_size = 0;
    http_begin(&update->head);
    update->net.open(update->net.ctx);
    update->step++;
}

static bool send_request(struct update *update, struct clock_inputs *news, uint32_t now_ms)
{
    char path[UPDATE_PATH_SIZE];
    enum net_state state = update->net.state(update->net.ctx);

    if (state == NET_ENDED || state == NET_CLOSED) {
        fail(update, news, "No connection");
        return true;
    }
    if (state == NET_OPENING) {
        return false;
    }
    if (update->step == SEND_RELEASE) {
        path_of_release(update, path);
    } else {
        path_of_image(update, path);
    }
    uint32_t size = http_request((char *)update->piece, sizeof update->piece, path, update->from);
    /* A request is shorter than what any network takes at once. */
    if (update->net.send(update->net.ctx, update->piece, size) != size) {
        fail(update, news, "Cannot send");
        return true;
    }
    update->heard_ms = now_ms;
    update->step++;
    return true;
}

/* --- Hearing --------------------------------------------------------------------------------- */

/* The next bytes from the server into piece[], behind those that are left there. */
static uint32_t receive(struct update *update, uint32_t room, uint32_t now_ms)
{
    uint32_t got = update->net.receive(update->net.ctx, update->piece, room);

    if (got > 0) {
        update->heard_ms = now_ms;
    }
    update->piece_size = got;
    return got;
}

static void say_status(struct update *update, struct clock_inputs *news)
{
    char row[CLOCK_TROUBLE_SIZE];
    struct text text = text_on(row, sizeof row);

    text_add(&text, "Server says ");
    text_number(&text, update->head.status, 3, '0');
    fail(update, news, row);
}

/* The head is complete. @return false: it is not what was asked for, which *news says */
static bool accept_head(struct update *update, struct clock_inputs *news)
{
    const struct http_head *head = &update->head;

    news->unix_s = head->date;
    if (head->status != 200 && !(head->status == 206 && update->from > 0)) {
        say_status(update, news);
        return false;
    }
    if (!head->has_length) {
        fail(update, news, "Answer has no length");
        return false;
    }
    update->left = head->length;
    update->skip = 0;
    if (update->from == 0) {
        update->size = head->length;
        return true;
    }
    /* A server without ranges sends everything; one with them, what was asked for. */
    uint32_t first = head->status == 200 ? 0 : head->first;
    if ((head->status == 206 && (!head->has_range || first != update->from)) ||
        head->length != update->size - first) {
        fail(update, news, "Image has changed");
        return false;
    }
    update->skip = update->from - first;
    return true;
}

static bool hear_head(struct update *update, struct clock_inputs *news, uint32_t now_ms)
{
    uint32_t used = 0;

    if (receive(update, sizeof update->piece, now_ms) == 0) {
        if (update->net.state(update->net.ctx) == NET_ENDED) {
            fail(update, news, "No answer");
            return true;
        }
        return false;
    }
    enum upd_err err = http_feed(&update->head, update->piece, update->piece_size, &used);
    if (err == UPD_E_SHORT) {
        return true;
    }
    if (err != UPD_OK) {
        fail(update, news, "Answer not understood");
        return true;
    }
    if (!accept_head(update, news)) {
        return true;
    }
    /* What follows the head is the beginning of the body. */
    update->piece_size -= used;
    for (uint32_t i = 0; i < update->piece_size; i++) {
        update->piece[i] = update->piece[used + i];
    }
    if (update->piece_size > update->left) {
        update->piece_size = update->left;
    }
    update->step++;
    return true;
}

/* --- The release ----------------------------------------------------------------------------- */

static void decide(struct update *update, struct clock_inputs *news)
{
    char row[CLOCK_TROUBLE_SIZE];
    struct text text = text_on(row, sizeof row);

    if (text_same(update->version, update->config.version)) {
        stop(update, news, CLOCK_EVENT_CURRENT);
        return;
    }
    if (update->goal == UPDATE_INSTALL && text_same(update->version, update->config.fallen)) {
        text_add(&text, update->version);
        text_add(&text, " failed");
        refuse(update, news, row);
        return;
    }
    news->news = CLOCK_EVENT_OFFERED;
    news->version = update->version;
    if (update->goal == UPDATE_PROBE) {
        stop(update, news, CLOCK_EVENT_OFFERED);
        return;
    }
    update->from = 0;
    update->step = ASK_IMAGE;
}

static bool read_release(struct update *update, struct clock_inputs *news, uint32_t now_ms)
{
    uint32_t length = 0;

    if (update->left > sizeof update->piece) {
        fail(update, news, "Release is too long");
        return true;
    }
    if (update->piece_size < update->left) {
        uint32_t got = update->net.receive(update->net.ctx, update->piece + update->piece_size,
                                           update->left - update->piece_size);
        update->piece_size += got;
        if (got > 0) {
            update->heard_ms = now_ms;
        } else if (update->net.state(update->net.ctx) == NET_ENDED) {
            fail(update, news, "Server hung up");
            return true;
        }
        return got > 0;
    }
    while (length < update->piece_size && update->piece[length] > ' ') {
        length++;
    }
    if (!label_is_version((const char *)update->piece, length)) {
        fail(update, news, "Release is no version");
        return true;
    }
    update->piece[length] = '\0';
    text_copy(update->version, sizeof update->version, (const char *)update->piece);
    decide(update, news);
    return true;
}

/* --- The image ------------------------------------------------------------------------------- */

/* The server has the image. Go on with what is in flash already, or begin. */
static void open_writer(struct update *update, struct clock_inputs *news)
{
    uint32_t from = 0;

    if (update->from > 0) { /* it is open already, and the server goes on where it ended */
        update->step = TAKE_IMAGE;
        return;
    }
    const struct upd_update about = {
        .size = update->size,
        .validator = update->version,
        .validator_size = text_length(update->version),
    };

    enum upd_err err = upd_writer_resume(&update->writer, update->device, &about, &from);
    if (err == UPD_E_NOT_FOUND || err == UPD_E_CHANGED) {
        err = upd_writer_begin(&update->writer, update->device, &about);
        from = 0;
    }
    if (err != UPD_OK) {
        give_up(update, news, err);
    } else if (from == 0) {
        update->step = TAKE_IMAGE;
    } else if (from == update->size) {
        news->news = CLOCK_EVENT_RECEIVED;
        update->step = END_WRITER;
    } else {
        update->from = from;
        update->step = ASK_IMAGE;
    }
}

static void take_piece(struct update *update, struct clock_inputs *news)
{
    uint32_t skipped = update->skip < update->piece_size ? update->skip : update->piece_size;

    update->skip -= skipped;
    update->left -= update->piece_size;
    enum upd_err err =
        upd_writer_write(&update->writer, update->piece + skipped, update->piece_size - skipped);
    update->piece_size = 0;
    if (err != UPD_OK) {
        give_up(update, news, err);
    } else if (update->left == 0) {
        news->news = CLOCK_EVENT_RECEIVED;
        update->step = END_WRITER;
    }
}

static bool take_image(struct update *update, struct clock_inputs *news, uint32_t now_ms)
{
    if (update->piece_size == 0) {
        uint32_t room = update->left < sizeof update->piece ? update->left : sizeof update->piece;
        if (receive(update, room, now_ms) == 0 && update->left > 0) {
            if (update->net.state(update->net.ctx) == NET_ENDED) {
                fail(update, news, "Server hung up");
                return true;
            }
            return false;
        }
    }
    take_piece(update, news);
    return true;
}

static void end_writer(struct update *update, struct clock_inputs *news)
{
    enum upd_err err = upd_writer_end(&update->writer);

    if (err == UPD_OK) {
        err = upd_writer_activate(&update->writer);
    }
    if (err != UPD_OK) {
        give_up(update, news, err);
    } else {
        stop(update, news, CLOCK_EVENT_READY);
    }
}

/* --- */

static uint8_t percent_of(const struct update *update)
{
    uint32_t written = update->writer.written;

    if (update->step < TAKE_IMAGE) {
        return 0;
    }
    return written >= update->size ? 100 : (uint8_t)(written / (update->size / 100 + 1));
}

void update_begin(struct update *update, enum update_goal goal, uint32_t now_ms)
{
    update->net.close(update->net.ctx);
    update->goal = (uint8_t)goal;
    update->from = 0;
    update->heard_ms = now_ms;
    update->step = ASK_RELEASE;
}

static bool do_step(struct update *update, uint32_t now_ms, struct clock_inputs *news)
{
    switch ((enum step)update->step) {
    case IDLE:
        return false;
    case ASK_RELEASE:
    case ASK_IMAGE:
        update->heard_ms = now_ms;
        ask(update);
        return true;
    case SEND_RELEASE:
    case SEND_IMAGE:
        return send_request(update, news, now_ms);
    case HEAR_RELEASE:
    case HEAR_IMAGE:
        return hear_head(update, news, now_ms);
    case READ_RELEASE:
        return read_release(update, news, now_ms);
    case OPEN_WRITER:
        open_writer(update, news);
        return true;
    case TAKE_IMAGE:
        return take_image(update, news, now_ms);
    case END_WRITER:
        end_writer(update, news);
        return true;
    }
    return false;
}

bool update_step(struct update *update, uint32_t now_ms, struct clock_inputs *news)
{
    news->news = CLOCK_EVENT_NONE;
    news->unix_s = 0;
    news->version = news->trouble = "";
    bool busy = do_step(update, now_ms, news);
    if (!busy && update->step != IDLE && now_ms - update->heard_ms >= update->config.patience_ms) {
        fail(update, news, "No answer");
        busy = true;
    }
    news->percent = percent_of(update);
    return busy;
}
