/* SPDX-License-Identifier: MIT */
#include "fetchers/http-client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fetchers/http-request.h"

#define HTTP_RECEIVE_SIZE (256L << 10) /* one system call takes up to this much */

int http_client_init(struct http_client *client, struct loop *loop, struct http_config *config)
{
	*client = (struct http_client){ .loop = loop, .config = config };
	/* Counted by libcurl: one for each instance. */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		if (http_multi_new(&client->multi, loop, config->max_connections,
				   http_request_transferred) == 0)
			return 0;
		curl_global_cleanup();
	}
	http_config_free(config);
	return -ENOMEM;
}

void http_client_end(struct http_client *client)
{
	http_multi_free(client->multi);
	http_config_free(client->config);
	curl_global_cleanup();
}

static bool wants_certificates(const struct http_client *client)
{
	const struct fetch_host *host = loop_host(client->loop);

	return host && host->certificate;
}

/* libcurl keeps to itself why there is none. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_client *client = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	client->no_socket = fd < 0 ? errno : 0;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

CURL *http_client_easy(struct http_client *client)
{
	const struct http_config *c = client->config;
	CURL *e = curl_easy_init();

	if (!e)
		return NULL;
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, HTTP_RECEIVE_SIZE);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, client);
	/* Who is cancelled while a name is looked up leaves that to its thread, and waits for none.
	 */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_USERAGENT,
			 c->user_agent ? c->user_agent : "cachefilld/" CACHEFILL_VERSION);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, c->http_version);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, c->connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, c->min_rate);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, c->stall_timeout_s);
	if (c->proxy)
		curl_easy_setopt(e, CURLOPT_PROXY, c->proxy);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
	/* An authority of one's own replaces those of the system, in both forms. */
	if (c->ca_file || c->ca_path) {
		curl_easy_setopt(e, CURLOPT_CAINFO, c->ca_file);
		curl_easy_setopt(e, CURLOPT_CAPATH, c->ca_path);
	}
	if (c->ca_pem) {
		struct curl_blob pem = { .data = c->ca_pem,
					 .len = strlen(c->ca_pem),
					 .flags = CURL_BLOB_NOCOPY };

		curl_easy_setopt(e, CURLOPT_CAINFO_BLOB, &pem);
	}
	if (c->insecure) {
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	curl_easy_setopt(e, CURLOPT_SSLCERT, c->client_cert);
	curl_easy_setopt(e, CURLOPT_SSLKEY, c->client_key);
	if (wants_certificates(client))
		curl_easy_setopt(e, CURLOPT_CERTINFO, 1L);
	return e;
}

/* "Expire date:Nov 26 17:41:00 2026 GMT" of the server's own, which comes first. */
static time_t expiry(CURL *easy)
{
	static const char name[] = "Expire date:";
	struct curl_certinfo *chain = NULL;

	if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain ||
	    chain->num_of_certs < 1)
		return -1;
	for (const struct curl_slist *l = chain->certinfo[0]; l; l = l->next)
		if (strncmp(l->data, name, sizeof(name) - 1) == 0)
			return curl_getdate(l->data + sizeof(name) - 1, NULL);
	return -1;
}

void http_client_tell_certificate(const struct http_client *client, CURL *easy)
{
	const struct fetch_host *host = loop_host(client->loop);
	time_t expires = wants_certificates(client) ? expiry(easy) : -1;
	const char *url = NULL;
	char server[256];

	if (expires < 0 || curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url) != CURLE_OK ||
	    !url || strncmp(url, "https://", 8) != 0)
		return;
	url += 8;
	url += strcspn(url, "/?#") > strcspn(url, "@") ? strcspn(url, "@") + 1 : 0;
	snprintf(server, sizeof(server), "%.*s", (int)strcspn(url, "/?#"), url);
	host->certificate(host, server, expires);
}

static int socket_verdict(long error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
		return -EMFILE;
	case ECONNREFUSED:
	case ECONNRESET:
	case ETIMEDOUT:
		return (int)-error;
	default:
		return -EHOSTUNREACH;
	}
}

int http_client_verdict(const struct http_client *client, CURL *easy, CURLcode code)
{
	long error = 0;

	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &error);
		return socket_verdict(error ? error : client->no_socket);
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return -ECONNRESET;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: anything that is not HTTP */
		return -EPROTO;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}
