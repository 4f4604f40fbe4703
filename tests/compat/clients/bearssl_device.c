/* A device on BearSSL, whose application is the test: what comes on standard input goes out over TLS, what comes over
 * TLS goes to standard output. What it says of itself is on standard error, a line each:
 *
 *     connected VERSION SUITE FRAGMENT full|resumed     (hexadecimal, hexadecimal, decimal)
 *     closed ERROR                                      (BearSSL's number, 0 = close_notify)
 *
 * Usage: bearssl_device ADDRESS PORT NAME CA.pem RECEIVE SEND [SESSION]
 *
 * RECEIVE and SEND are what the ESP8266 core calls buffer sizes: bytes of a fragment, to which it adds the overhead of
 * a record as here. BearSSL asks the server for fragments that fit (max_fragment_length). SESSION is a file that a
 * session is resumed from, if it is there, and written to.
 */
#include <arpa/inet.h>
#include <bearssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECEIVE_OVERHEAD = 325, SEND_OVERHEAD = 85, MOST = 16384, CA_BYTES = 8192 };

static void die(const char *what)
{
    perror(what);
    exit(2);
}

struct bytes {
    unsigned char at[CA_BYTES];
    size_t len;
};

static void append(void *to, const void *from, size_t len)
{
    struct bytes *bytes = to;
    if (len > sizeof bytes->at - bytes->len) {
        fprintf(stderr, "the certificate is too long\n");
        exit(2);
    }
    memcpy(bytes->at + bytes->len, from, len);
    bytes->len += len;
}

/* The first object of a PEM file. */
static void read_pem(const char *path, struct bytes *der)
{
    static char pem[2 * CA_BYTES];
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    size_t len = fread(pem, 1, sizeof pem, file);
    fclose(file);
    br_pem_decoder_context decoder;
    br_pem_decoder_init(&decoder);
    for (size_t used = 0; used < len;) {
        used += br_pem_decoder_push(&decoder, pem + used, len - used);
        int event = br_pem_decoder_event(&decoder);
        if (event == BR_PEM_BEGIN_OBJ) br_pem_decoder_setdest(&decoder, append, der);
        if (event == BR_PEM_END_OBJ) return;
    }
    fprintf(stderr, "no certificate in %s\n", path);
    exit(2);
}

/* Trust what a certificate names and the key that it has. Its parts stay in `decoder` and `name`. */
static br_x509_trust_anchor trust(const char *path, br_x509_decoder_context *decoder, struct bytes *name)
{
    struct bytes der = { .len = 0 };
    read_pem(path, &der);
    br_x509_decoder_init(decoder, append, name);
    br_x509_decoder_push(decoder, der.at, der.len);
    br_x509_pkey *key = br_x509_decoder_get_pkey(decoder);
    if (!key) {
        fprintf(stderr, "%s: error %d\n", path, br_x509_decoder_last_error(decoder));
        exit(2);
    }
    return (br_x509_trust_anchor) { .dn = { name->at, name->len }, .flags = BR_X509_TA_CA, .pkey = *key };
}

static int connect_to(const char *address, const char *port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1) die(address);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
    return fd;
}

static int load_session(const char *path, br_ssl_session_parameters *session)
{
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file) return 0;
    int whole = fread(session, sizeof *session, 1, file) == 1;
    fclose(file);
    return whole;
}

static void say_connected(br_ssl_engine_context *engine, const br_ssl_session_parameters *before, const char *path)
{
    br_ssl_session_parameters now;
    br_ssl_engine_get_session_parameters(engine, &now);
    int resumed = before->session_id_len > 0 && before->session_id_len == now.session_id_len &&
                  memcmp(before->session_id, now.session_id, now.session_id_len) == 0;
    if (path) {
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(&now, sizeof now, 1, file) != 1 || fclose(file) != 0) die(path);
    }
    fprintf(stderr, "connected %04x %04x %u %s\n", now.version, now.cipher_suite, (unsigned)engine->max_frag_len,
            resumed ? "resumed" : "full");
}

static void write_all(int fd, const unsigned char *from, size_t len)
{
    while (len > 0) {
        ssize_t wrote = write(fd, from, len);
        if (wrote <= 0) die("write");
        from += wrote;
        len -= (size_t)wrote;
    }
}

/* Move what can be moved; false when the connection is over. */
static int turn(br_ssl_engine_context *engine, int fd, int *input_open)
{
    unsigned state = br_ssl_engine_current_state(engine);
    size_t len;
    unsigned char *at;
    if (state & BR_SSL_CLOSED) return 0;
    if (state & BR_SSL_RECVAPP) {
        at = br_ssl_engine_recvapp_buf(engine, &len);
        write_all(STDOUT_FILENO, at, len);
        br_ssl_engine_recvapp_ack(engine, len);
        return 1;
    }
    int wants_input = *input_open && (state & BR_SSL_SENDAPP);
    struct pollfd fds[2] = { { .fd = fd }, { .fd = wants_input ? STDIN_FILENO : -1, .events = POLLIN } };
    if (state & BR_SSL_SENDREC) fds[0].events |= POLLOUT;
    if (state & BR_SSL_RECVREC) fds[0].events |= POLLIN;
    if (poll(fds, 2, -1) < 0) die("poll");
    if ((state & BR_SSL_SENDREC) && (fds[0].revents & (POLLOUT | POLLERR | POLLHUP))) {
        at = br_ssl_engine_sendrec_buf(engine, &len);
        ssize_t wrote = write(fd, at, len);
        if (wrote <= 0) return 0;
        br_ssl_engine_sendrec_ack(engine, (size_t)wrote);
    } else if ((state & BR_SSL_RECVREC) && (fds[0].revents & (POLLIN | POLLERR | POLLHUP))) {
        at = br_ssl_engine_recvrec_buf(engine, &len);
        ssize_t came = read(fd, at, len);
        if (came <= 0) return 0;
        br_ssl_engine_recvrec_ack(engine, (size_t)came);
    } else if (fds[1].revents) {
        at = br_ssl_engine_sendapp_buf(engine, &len);
        ssize_t came = read(STDIN_FILENO, at, len);
        if (came > 0) {
            br_ssl_engine_sendapp_ack(engine, (size_t)came);
            br_ssl_engine_flush(engine, 0);
        } else {
            *input_open = 0;
            br_ssl_engine_close(engine);
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 7 && argc != 8) {
        fprintf(stderr, "usage: bearssl_device ADDRESS PORT NAME CA.pem RECEIVE SEND [SESSION]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    static unsigned char input[MOST + RECEIVE_OVERHEAD], output[MOST + SEND_OVERHEAD];
    static struct bytes name;
    static br_ssl_client_context client;
    static br_x509_minimal_context x509;
    static br_x509_decoder_context decoder;
    size_t receive = (size_t)atoi(argv[5]), send = (size_t)atoi(argv[6]);
    if (receive > MOST || send > MOST) return 2;
    const char *path = argc == 8 ? argv[7] : NULL;
    br_ssl_session_parameters before = { .session_id_len = 0 };

    br_x509_trust_anchor anchor = trust(argv[4], &decoder, &name);
    br_ssl_client_init_full(&client, &x509, &anchor, 1);
    br_ssl_engine_set_buffers_bidi(&client.eng, input, receive + RECEIVE_OVERHEAD, output, send + SEND_OVERHEAD);
    int resumes = load_session(path, &before);
    if (resumes) br_ssl_engine_set_session_parameters(&client.eng, &before);
    if (!br_ssl_client_reset(&client, argv[3], resumes)) {
        fprintf(stderr, "error %d\n", br_ssl_engine_last_error(&client.eng));
        return 2;
    }
    int fd = connect_to(argv[1], argv[2]), input_open = 1, connected = 0;
    while (turn(&client.eng, fd, &input_open)) {
        if (!connected && (br_ssl_engine_current_state(&client.eng) & BR_SSL_SENDAPP)) {
            connected = 1;
            say_connected(&client.eng, &before, path);
        }
    }
    int error = br_ssl_engine_last_error(&client.eng);
    if (!(br_ssl_engine_current_state(&client.eng) & BR_SSL_CLOSED)) error = -1; /* without close_notify */
    fprintf(stderr, "closed %d\n", error);
    return error != 0;
}
