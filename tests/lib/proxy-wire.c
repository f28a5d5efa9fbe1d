/* SPDX-License-Identifier: MIT */
#include "tests/lib/proxy-internal.h"

#include <errno.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static const char *const names[PROXY_CERTS] = { "good", "expired", "wrongname", "unknownca" };

int proxy_tls_start(struct proxy *proxy)
{
	for (int i = 0; i < PROXY_CERTS; i++) {
		char pem[512], key[512];

		snprintf(pem, sizeof(pem), "%s/%s.pem", proxy->options.certificates, names[i]);
		snprintf(key, sizeof(key), "%s/%s.key", proxy->options.certificates, names[i]);
		proxy->tls[i] = SSL_CTX_new(TLS_server_method());
		if (!proxy->tls[i])
			return -ENOMEM;
		/* A session that is resumed shows no certificate. */
		SSL_CTX_set_session_cache_mode(proxy->tls[i], SSL_SESS_CACHE_OFF);
		SSL_CTX_set_num_tickets(proxy->tls[i], 0);
		SSL_CTX_set_mode(proxy->tls[i], SSL_MODE_ENABLE_PARTIAL_WRITE |
							SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
		if (SSL_CTX_use_certificate_file(proxy->tls[i], pem, SSL_FILETYPE_PEM) != 1 ||
		    SSL_CTX_use_PrivateKey_file(proxy->tls[i], key, SSL_FILETYPE_PEM) != 1)
			return -EINVAL;
	}
	return 0;
}

void proxy_tls_stop(struct proxy *proxy)
{
	for (int i = 0; i < PROXY_CERTS; i++)
		SSL_CTX_free(proxy->tls[i]);
}

int proxy_tls_accept(struct proxy_connection *c, enum proxy_certificate which)
{
	c->tls = SSL_new(c->proxy->tls[which]);
	if (!c->tls || SSL_set_fd(c->tls, c->fd) != 1)
		return -ENOMEM;
	SSL_set_accept_state(c->tls);
	return 0;
}

static ssize_t tls_result(struct proxy_connection *c, int n)
{
	int why = n > 0 ? SSL_ERROR_NONE : SSL_get_error(c->tls, n);

	ERR_clear_error();
	if (n > 0)
		return n;
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	return why == SSL_ERROR_ZERO_RETURN ? 0 : -EIO;
}

ssize_t proxy_receive(struct proxy_connection *c, void *buf, size_t n)
{
	ssize_t got;

	if (c->tls)
		return tls_result(c, SSL_read(c->tls, buf, (int)n));
	got = recv(c->fd, buf, n, MSG_DONTWAIT);
	return got < 0 ? -errno : got;
}

ssize_t proxy_transmit(struct proxy_connection *c, const void *buf, size_t n)
{
	ssize_t sent;

	if (c->tls)
		return tls_result(c, SSL_write(c->tls, buf, (int)n));
	sent = send(c->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return sent < 0 ? -errno : sent;
}
