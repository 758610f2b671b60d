#include "proving.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"
#include "sys/random.h"
#include "throttling.h"
#include "worker.h"

CredentialWish proving_wish(Session *s)
{
	const Arrival *a = s->arrival;

	return (CredentialWish){.conf = s->conf,
				.access = a->access,
				.compute = a->compute,
				.user = a->user,
				.database = a->database,
				.arg = s};
}

void proving_say(Session *s, Buf *bytes)
{
	if (buf_size(bytes) > 0)
		stream_send(&s->client.stream, buf_span(bytes));
	buf_free(bytes);
}

static void refuse_password(Session *s)
{
	const Proving *p = s->work;
	CredentialWish wish = proving_wish(s);
	char name[NAME_SIZE];
	Fault why;

	login_failed(s);
	credential_doubt(s->worker->credentials, &wish);
	text_copy(name, sizeof(name), s->arrival->user);
	text_printable(name);
	fault_set(&why, FAULT_WRONG_PASSWORD, "password authentication failed for user \"%s\"",
		  name);
	fault_cause(&why, "%s", p->cause ? p->cause : "the proof does not fit the secret");
	session_refuse(s, &why);
}

/* The proof fits the secret: whoever has its client key can log in where the same is kept. */
static void proved(Session *s)
{
	const Proving *p = s->work;
	OwnLogin *own = &s->arrival->login.own;

	own->has_keys = true;
	own->of = p->proof.scram.secret;
	memcpy(own->keys.client_key, p->proof.scram.client_key, SCRAM_KEY_SIZE);
	memcpy(own->keys.server_key, own->of.server_key, SCRAM_KEY_SIZE);
	prove_accept(s);
}

/* A password in clear against a secret that was made of one: the same is made of it. */
static void on_said_keys(void *arg, const ScramKeys *keys)
{
	Session *s = arg;
	Proving *p = s->work;
	const ScramSecret *secret = &p->proof.scram.secret;
	ScramSecret said;
	bool same;

	p->stretch = NULL;
	scram_secret_of_keys(&said, keys, secret->salt, secret->salt_size, secret->iterations);
	same = bytes_equal_in_constant_time(said.stored_key, secret->stored_key, SCRAM_KEY_SIZE);
	if (!same || !p->proof.scram.known) {
		refuse_password(s);
		return;
	}
	mem_wipe_text(p->password);
	p->password = mem_text(p->proof.password);
	memcpy(p->proof.scram.client_key, keys->client_key, SCRAM_KEY_SIZE);
	proved(s);
}

static StretchOrder order_of(Session *s, const char *password)
{
	const Proving *p = s->work;
	const ScramSecret *secret = &p->proof.scram.secret;

	return (StretchOrder){.tenant = s->arrival->compute,
			      .password = password,
			      .salt = secret->salt,
			      .salt_size = secret->salt_size,
			      .iterations = secret->iterations,
			      .arg = s};
}

static void stretch_said(Session *s)
{
	Proving *p = s->work;
	StretchOrder order = order_of(s, p->proof.password);

	order.on_keys = on_said_keys;
	p->stretch = stretch(s->worker->stretcher, &order);
}

/* What we speak comes first, where that is not what the client asked for. */
static void ask_client(Session *s)
{
	Proving *p = s->work;
	Buf question = {0};

	p->asked = true;
	session_negotiate(s, &question);
	s->proto->ask_proof(&p->proof, &question);
	proving_say(s, &question);
	proving_hear(s);
}

static void on_plain_keys(void *arg, const ScramKeys *keys)
{
	Session *s = arg;
	Proving *p = s->work;
	ScramSecret *secret = &p->proof.scram.secret, of = *secret;

	p->stretch = NULL;
	scram_secret_of_keys(secret, keys, of.salt, of.salt_size, of.iterations);
	ask_client(s);
}

/* Those of auth_file are there before anybody asks (worker.c). */
static void take_plain(Session *s, const char *password)
{
	Proving *p = s->work;
	StretchOrder order = order_of(s, password);
	ScramKeys keys;

	p->password = mem_text(password);
	order.on_keys = on_plain_keys;
	order.keep = true;
	if (stretch_now(s->worker->stretcher, &order, &keys))
		on_plain_keys(s, &keys);
	else
		p->stretch = stretch(s->worker->stretcher, &order);
	explicit_bzero(&keys, sizeof(keys));
}

/* What is looked for in vain, in place of a password that is not known. */
static void look_for_nothing(Session *s)
{
	StretchOrder order = order_of(s, "nobody's");
	ScramKeys keys = {0};
	ScramSecret ignored;

	stretch_now(s->worker->stretcher, &order, &keys);
	scram_secret_of_keys(&ignored, &keys, order.salt, order.salt_size, order.iterations);
}

/* What is read in vain, in place of a secret that is not known. */
static const char nothing[] =
	"SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	":AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/*
 * Makes the mock first, and reads what is known over it, so that both take the
 * same time: each is looked for in all ways, be it in vain.  A plain password is
 * made into a secret with the mock's salt.
 */
static void take_secret(Session *s, const char *text)
{
	Proving *p = s->work;
	ScramServer *x = &p->proof.scram;
	bool may_be_known = text && *text && !text_starts(text, "md5");
	bool scram = may_be_known && text_starts(text, "SCRAM-SHA-256$");
	ScramSecret parsed;
	bool good = scram_secret_parse(&parsed, scram ? text : nothing);

	scram_secret_mock(&x->secret, s->arrival->access->mock_key, s->arrival->user);
	x->known = may_be_known && good;
	if (!text)
		p->cause = "nobody has a secret of such a user, or there is no such compute";
	else if (!x->known)
		p->cause = "the user's secret is empty, an md5 hash, or malformed";
	if (x->known && !scram) {
		take_plain(s, text);
		return;
	}
	look_for_nothing(s);
	if (x->known)
		x->secret = parsed;
	ask_client(s);
}

static void take_info(Session *s, const CredentialInfo *info)
{
	Fault why;

	if (prove_allows(s, info, &why))
		take_secret(s, info->secret);
	else
		session_refuse(s, &why);
}

static void on_credential(void *arg, const CredentialInfo *info, const Fault *why)
{
	Session *s = arg;
	Proving *p = s->work;

	p->wait = NULL;
	if (info)
		take_info(s, info);
	else
		session_refuse(s, why);
}

static void find_secret(Session *s)
{
	Proving *p = s->work;
	CredentialWish wish = proving_wish(s);
	CredentialInfo info;

	wish.on_credential = on_credential;
	if (credential_now(s->worker->credentials, &wish, &info))
		take_info(s, &info);
	else
		p->wait = credential_ask(s->worker->credentials, &wish);
}

/* With TLS the proof is bound to the connection, if the client can. */
void proving_begin(Session *s, ProofKind kind)
{
	Proving *p = s->work;

	p->proof.kind = kind;
	random_printable(p->proof.nonce, SCRAM_NONCE_SIZE);
	p->proof.binding.hash = p->binding;
	if (s->client.stream.tls)
		p->proof.binding.size = tls_own_binding(s->client.stream.tls, p->binding);
	find_secret(s);
}

static void refuse_proof(Session *s, const Fault *why)
{
	if (why->code == FAULT_WRONG_PASSWORD)
		refuse_password(s);
	else
		session_refuse(s, why);
}

void proving_hear(Session *s)
{
	Proving *p = s->work;
	Buf answer = {0};
	ProofVerdict verdict;
	Fault why;

	if (!p->asked || p->stretch)
		return;
	verdict = s->proto->prove(&p->proof, &s->client.in, &answer, &why);
	proving_say(s, &answer);
	switch (verdict) {
	case PROOF_MORE:
		break;
	case PROOF_SAID:
		stretch_said(s);
		break;
	case PROOF_RIGHT:
		proved(s);
		break;
	case PROOF_FAULT:
		refuse_proof(s, &why);
		break;
	}
}
