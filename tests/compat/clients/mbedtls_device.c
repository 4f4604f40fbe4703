/* A device on mbedTLS 2.28 as the ESP32 core uses it: default options, so no max_fragment_length. Its application is the
 * test: what comes on standard input goes out over TLS, what comes over TLS goes to standard output. What it says of
 * itself is on standard error, a line each:
 *
 *     connected VERSION SUITE full|resumed
 *     failed -0xNNNN WHERE            (mbedTLS's number)
 *     closed
 *
 * Usage: mbedtls_device ADDRESS PORT NAME CA.pem [SESSION]
 *
 * This version cannot put a handshake message together again that comes in several records. SESSION is a file that a
 * session is resumed from, if it is there, and written to.
 */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SESSION_BYTES = 16384, CHUNK = 4096 };

static int check(int result, const char *where)
{
    if (result < 0) {
        fprintf(stderr, "failed -0x%04x %s\n", (unsigned)-result, where);
        exit(1);
    }
    return result;
}

/* True if there is a session to resume; its secret is in `master` then. */
static int load_session(mbedtls_ssl_context *ssl, const char *path, unsigned char *master)
{
    static unsigned char bytes[SESSION_BYTES];
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file) return 0;
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    check(mbedtls_ssl_session_load(&session, bytes, len), "session load");
    check(mbedtls_ssl_set_session(ssl, &session), "set session");
    memcpy(master, session.master, sizeof session.master);
    mbedtls_ssl_session_free(&session);
    return 1;
}

/* Keep the session; true if its secret is the one in `master`. */
static int save_session(mbedtls_ssl_context *ssl, const char *path, const unsigned char *master)
{
    static unsigned char bytes[SESSION_BYTES];
    size_t len = 0;
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    check(mbedtls_ssl_get_session(ssl, &session), "get session");
    check(mbedtls_ssl_session_save(&session, bytes, sizeof bytes, &len), "session save");
    int same = memcmp(session.master, master, sizeof session.master) == 0;
    mbedtls_ssl_session_free(&session);
    if (!path) return same;
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
    return same;
}

static void write_all(mbedtls_ssl_context *ssl, const unsigned char *from, size_t len)
{
    while (len > 0) {
        int wrote = mbedtls_ssl_write(ssl, from, len);
        if (wrote == MBEDTLS_ERR_SSL_WANT_READ || wrote == MBEDTLS_ERR_SSL_WANT_WRITE) continue;
        check(wrote, "write");
        from += wrote;
        len -= (size_t)wrote;
    }
}

/* What has come, to standard output; false when the server has closed. */
static int receive(mbedtls_ssl_context *ssl)
{
    unsigned char bytes[CHUNK];
    for (;;) {
        int came = mbedtls_ssl_read(ssl, bytes, sizeof bytes);
        if (came == MBEDTLS_ERR_SSL_WANT_READ || came == MBEDTLS_ERR_SSL_WANT_WRITE) return 1;
        if (came == 0 || came == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return 0;
        check(came, "read");
        if (write(STDOUT_FILENO, bytes, (size_t)came) != came) return 0;
    }
}

/* Bytes both ways until one side ends. */
static void carry(mbedtls_ssl_context *ssl, mbedtls_net_context *net)
{
    struct pollfd fds[2] = { { .fd = net->fd, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
    unsigned char bytes[CHUNK];
    check(mbedtls_net_set_nonblock(net), "nonblock");
    while (receive(ssl)) {
        if (poll(fds, 2, -1) < 0) return;
        if (!fds[1].revents) continue;
        ssize_t came = read(STDIN_FILENO, bytes, sizeof bytes);
        if (came <= 0) {
            mbedtls_ssl_close_notify(ssl);
            return;
        }
        write_all(ssl, bytes, (size_t)came);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: mbedtls_device ADDRESS PORT NAME CA.pem [SESSION]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    static mbedtls_net_context net;
    static mbedtls_ssl_context ssl;
    static mbedtls_ssl_config config;
    static mbedtls_x509_crt ca;
    static mbedtls_entropy_context entropy;
    static mbedtls_ctr_drbg_context random;
    const char *path = argc == 6 ? argv[5] : NULL;
    mbedtls_net_init(&net);
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&ca);
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);

    check(mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0), "seed");
    check(mbedtls_x509_crt_parse_file(&ca, argv[4]), "the authority");
    int preset = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                             MBEDTLS_SSL_PRESET_DEFAULT);
    check(preset, "defaults");
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    check(mbedtls_ssl_setup(&ssl, &config), "setup");
    check(mbedtls_ssl_set_hostname(&ssl, argv[3]), "the name");
    unsigned char master[sizeof((mbedtls_ssl_session *)0)->master] = { 0 };
    int resumes = load_session(&ssl, path, master);

    check(mbedtls_net_connect(&net, argv[1], argv[2], MBEDTLS_NET_PROTO_TCP), "connect");
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
    check(mbedtls_ssl_handshake(&ssl), "handshake");
    int resumed = save_session(&ssl, path, master) && resumes;
    fprintf(stderr, "connected %s %s %s\n", mbedtls_ssl_get_version(&ssl), mbedtls_ssl_get_ciphersuite(&ssl),
            resumed ? "resumed" : "full");
    carry(&ssl, &net);
    fprintf(stderr, "closed\n");
    return 0;
}
