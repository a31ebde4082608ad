/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <gpgme.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "keys/passphrase.h"
#include "keys/pkcs12.h"
#include "keys/program.h"
#include "keys/ring.h"

#define FOLDER_MAX 88	/* an agent's socket must fit in 108 */

struct ring {
	char folder[FOLDER_MAX];
	gpgme_ctx_t context[_KEYS_METHODS];
};

static const gpgme_protocol_t protocols[_KEYS_METHODS] = {
	[KEYS_OPENPGP] = GPGME_PROTOCOL_OPENPGP,
	[KEYS_SMIME] = GPGME_PROTOCOL_CMS,
};

/* GnuPG's settings: whom to trust was decided at import, and nothing goes to the network. */
static const struct setting {
	const char *file, *text;
} settings[] = {
	{ "gpg.conf", "batch\nno-tty\ntrust-model always\nno-auto-key-retrieve\n"
		      "no-auto-key-locate\nno-greeting\n" },
	{ "gpgsm.conf", "batch\nno-tty\ndisable-crl-checks\ndisable-dirmngr\n"
			"cipher-algo AES256\n" },
	{ "gpg-agent.conf", "allow-loopback-pinentry\ndisable-scdaemon\ndefault-cache-ttl 0\n" },
};

static int fail(struct error *e, gpgme_error_t why, const char *what)
{
	int code;

	switch (gpgme_err_code(why)) {
	case GPG_ERR_NO_SECKEY:
	case GPG_ERR_NO_PUBKEY:
	case GPG_ERR_UNUSABLE_PUBKEY:
		code = -ENOKEY;
		break;
	case GPG_ERR_UNUSABLE_SECKEY:
	case GPG_ERR_KEY_EXPIRED:
	case GPG_ERR_KEY_DISABLED:
	case GPG_ERR_CERT_EXPIRED:
	case GPG_ERR_CERT_REVOKED:
		code = -EKEYEXPIRED;
		break;
	case GPG_ERR_BAD_PASSPHRASE:
	case GPG_ERR_NO_PASSPHRASE:
	case GPG_ERR_NO_PIN_ENTRY:
		return error_set(e, -EKEYEXPIRED, "%s: the secret key has a passphrase, which "
				 "nobody is there to type; import it again with \"ifaxctl keys "
				 "import\" and its --password-file", what);
	case GPG_ERR_NO_DATA:
	case GPG_ERR_BAD_DATA:
	case GPG_ERR_INV_ARMOR:
	case GPG_ERR_DECRYPT_FAILED:
	case GPG_ERR_CHECKSUM:
	case GPG_ERR_INV_CMS_OBJ:
	case GPG_ERR_UNEXPECTED:
		code = -EBADMSG;
		break;
	case GPG_ERR_ENOMEM:
		code = -ENOMEM;
		break;
	default:
		code = -EIO;
	}
	return error_set(e, code, "%s: %s", what, gpgme_strerror(why));
}

static int write_setting(const char *folder, const struct setting *s)
{
	_free_ char *path = NULL;
	_fclose_ FILE *f = NULL;

	if (asprintf(&path, "%s/%s", folder, s->file) < 0)
		return -ENOMEM;
	f = fopen(path, "wxe");
	if (!f)
		return errno == EEXIST ? 0 : -errno;
	return fputs(s->text, f) < 0 || fflush(f) ? -errno : 0;
}

static int make_folder(const char *folder, struct error *e)
{
	int r = mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;

	for (size_t i = 0; i < ARRAY_SIZE(settings) && r >= 0; i++)
		r = write_setting(folder, &settings[i]);
	return r < 0 ? error_set(e, r, "Cannot set up the keys' folder: %s", strerror(-r)) : 0;
}

static int open_context(struct ring *r, enum keys_method method, struct error *e)
{
	gpgme_ctx_t c;
	gpgme_error_t why = gpgme_new(&c);

	if (why)
		return fail(e, why, "GPGME cannot be used");
	r->context[method] = c;
	why = gpgme_set_protocol(c, protocols[method]);
	if (!why)
		why = gpgme_ctx_set_engine_info(c, protocols[method], NULL, r->folder);
	if (!why)
		why = gpgme_set_pinentry_mode(c, GPGME_PINENTRY_MODE_ERROR);
	gpgme_set_offline(c, 1);
	return why ? fail(e, why, method == KEYS_SMIME ? "gpgsm cannot be used; is it installed?" :
							 "gpg cannot be used; is it installed?")
		   : 0;
}

int ring_open(struct ring **ret, const char *folder, struct error *e)
{
	struct ring *r = calloc(1, sizeof(*r));
	int q;

	if (!r)
		return error_set(e, -ENOMEM, "Out of memory");
	gpgme_check_version(NULL);
	if (snprintf(r->folder, sizeof(r->folder), "%s", folder) >= (int)sizeof(r->folder))
		q = error_set(e, -ENAMETOOLONG, "The keys' folder has too long a name: %s", folder);
	else
		q = make_folder(folder, e);
	for (int m = KEYS_OPENPGP; m < _KEYS_METHODS && q >= 0; m++)
		q = open_context(r, m, e);
	if (q < 0) {
		ring_close(r);
		return q;
	}
	*ret = r;
	return 0;
}

static const char *const end_agent[] = { "gpgconf", "--kill", "gpg-agent", NULL };

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path) < 0 && errno != ENOENT ? -errno : 0;
}

int ring_destroy(const char *folder, struct error *e)
{
	int r;

	if (access(folder, F_OK) < 0 && errno == ENOENT)
		return 0;
	/* One whose user was cut short may still have the keys in memory. */
	program_run(folder, -1, -1, end_agent);
	r = nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	if (r == -1)
		r = -errno;
	return r < 0 ? error_set(e, r, "Keys cannot be removed: %s", strerror(-r)) : 0;
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	for (int m = 0; m < _KEYS_METHODS; m++)
		if (r->context[m])
			gpgme_release(r->context[m]);
	program_run(r->folder, -1, -1, end_agent);
	free(r);
}

/* Fingerprints are matched as such, addresses whole: "a@b" is not "aa@b". */
static bool is_of(const struct _gpgme_key *k, const char *who)
{
	if (!strchr(who, '@'))
		return k->fpr && !strcasecmp(k->fpr, who);
	for (gpgme_user_id_t u = k->uids; u; u = u->next) {
		const char *a = u->email ? u->email : "";
		size_t n = strlen(a);

		/* gpgsm keeps the brackets. */
		if (*a == '<' && n > 2) {
			a++;
			n -= 2;
		}
		if (!u->revoked && n == strlen(who) && !strncasecmp(a, who, n))
			return true;
	}
	return false;
}

static bool usable(const struct _gpgme_key *k)
{
	return k->can_encrypt && !k->revoked && !k->expired && !k->disabled && !k->invalid;
}

static int find_key(struct ring *r, enum keys_method method, const char *who, gpgme_key_t *ret,
		    struct error *e)
{
	gpgme_ctx_t c = r->context[method];
	gpgme_key_t k, found = NULL;
	gpgme_error_t why = gpgme_op_keylist_start(c, who, 0);
	bool unusable = false;

	while (!why && !found && !(why = gpgme_op_keylist_next(c, &k))) {
		if (is_of(k, who) && usable(k)) {
			found = k;
			continue;
		}
		unusable |= is_of(k, who);
		gpgme_key_unref(k);
	}
	gpgme_op_keylist_end(c);
	if (!found && gpgme_err_code(why) != GPG_ERR_EOF)
		return fail(e, why, "The keys of the recipients cannot be listed");
	if (!found)
		return error_set(e, -ENOKEY,
				 unusable ? "The %s key of %s has expired, is revoked or does not "
					    "encrypt; get a newer one, \"ifaxctl keys import\""
					  : "There is no %s key of %s; \"ifaxctl keys import\" "
					    "takes one",
				 keys_method_name(method), who);
	*ret = found;
	return 0;
}

static void free_keys(gpgme_key_t *keys)
{
	for (size_t i = 0; keys && keys[i]; i++)
		gpgme_key_unref(keys[i]);
	free(keys);
}

static int find_keys(struct ring *r, enum keys_method method, const char *const *who, size_t n,
		     gpgme_key_t **ret, struct error *e)
{
	gpgme_key_t *keys = calloc(n + 1, sizeof(*keys));
	int q = 0;

	if (!keys)
		return error_set(e, -ENOMEM, "Out of memory");
	if (!n || method == KEYS_ANY)
		q = error_set(e, -EINVAL, "It is not said for whom to encrypt, or how");
	for (size_t i = 0; i < n && q >= 0; i++)
		q = find_key(r, method, who[i], &keys[i], e);
	if (q < 0) {
		free_keys(keys);
		return q;
	}
	*ret = keys;
	return 0;
}

int ring_check(struct ring *r, enum keys_method method, const char *const *who, size_t n,
	       struct error *e)
{
	gpgme_key_t *keys = NULL;
	int q = find_keys(r, method, who, n, &keys, e);

	free_keys(keys);
	return q;
}

/* GPGME's data around ours: no copy in, one out. */
struct pipe {
	gpgme_data_t in, beside, out;
};

static void pipe_free(struct pipe *p)
{
	gpgme_data_release(p->in);
	gpgme_data_release(p->beside);
	gpgme_data_release(p->out);
}

static int pipe_make(struct pipe *p, const struct buffer *in, const struct buffer *beside,
		     struct error *e)
{
	gpgme_error_t why;

	memset(p, 0, sizeof(*p));
	why = gpgme_data_new_from_mem(&p->in, in->data ? in->data : "", in->len, 0);
	if (!why && beside)
		why = gpgme_data_new_from_mem(&p->beside, beside->data ? beside->data : "",
					      beside->len, 0);
	if (!why)
		why = gpgme_data_new(&p->out);
	return why ? fail(e, why, "GPGME cannot be used") : 0;
}

static int pipe_take(struct pipe *p, struct buffer *out, struct error *e)
{
	size_t len;
	char *data = gpgme_data_release_and_get_mem(take_ptr(p->out), &len);
	int r = buffer_append(out, data, len);

	gpgme_free(data);
	return r < 0 ? error_set(e, r, "What comes of it is too large") : 0;
}

int ring_encrypt(struct ring *r, enum keys_method method, const char *const *who, size_t n,
		 const struct buffer *data, struct buffer *out, struct error *e)
{
	_cleanup_(pipe_free) struct pipe p = { 0 };
	gpgme_ctx_t c = r->context[method];
	gpgme_key_t *keys = NULL;
	gpgme_error_t why;
	int q = find_keys(r, method, who, n, &keys, e);

	if (q >= 0)
		q = pipe_make(&p, data, NULL, e);
	if (q >= 0) {
		gpgme_set_armor(c, method == KEYS_OPENPGP);
		if (method == KEYS_SMIME)
			gpgme_data_set_encoding(p.out, GPGME_DATA_ENCODING_BASE64);
		why = gpgme_op_encrypt(c, keys, GPGME_ENCRYPT_ALWAYS_TRUST, p.in, p.out);
		q = why ? fail(e, why, "The mail cannot be encrypted") : pipe_take(&p, out, e);
	}
	free_keys(keys);
	return q;
}

static bool is_out_of_use(const struct _gpgme_key *k)
{
	return k->revoked || k->expired || k->disabled || k->invalid;
}

/* Whether it may or not: made for that. */
static bool is_for_signing(const struct _gpgme_key *k)
{
	for (gpgme_subkey_t sub = k->subkeys; sub; sub = sub->next)
		if (sub->can_sign)
			return true;
	return k->can_sign;
}

/* @own NULL, or *@ret NULL: he has none, and signs nothing. */
static int find_signer(struct ring *own, enum keys_method method, const char *who,
		       gpgme_key_t *ret, struct error *e)
{
	gpgme_ctx_t c = own ? own->context[method] : NULL;
	bool out_of_use = false;
	gpgme_error_t why;
	gpgme_key_t k;

	*ret = NULL;
	if (!own)
		return 0;
	why = gpgme_op_keylist_start(c, who, 1);
	while (!why && !*ret && !(why = gpgme_op_keylist_next(c, &k))) {
		if (is_of(k, who) && k->can_sign && !is_out_of_use(k)) {
			*ret = k;
			continue;
		}
		out_of_use |= is_of(k, who) && is_for_signing(k) && is_out_of_use(k);
		gpgme_key_unref(k);
	}
	gpgme_op_keylist_end(c);
	if (!*ret && gpgme_err_code(why) != GPG_ERR_EOF)
		return fail(e, why, "The keys to sign with cannot be listed");
	if (!*ret && out_of_use)
		return error_set(e, -EKEYEXPIRED, "The %s key by which %s signs has expired or is "
				 "revoked; \"ifaxctl keys make --user\" makes a new one, \"import "
				 "--user\" takes one, and without any (\"remove --user\") his mail "
				 "is not signed", keys_method_name(method), who);
	return 0;
}

int ring_check_signer(struct ring *own, enum keys_method method, const char *who, struct error *e)
{
	gpgme_key_t signer = NULL;
	int q = find_signer(own, method, who, &signer, e);

	if (signer)
		gpgme_key_unref(signer);
	return q;
}

/* "pgp-sha512" (RFC 3156, 5), "sha-512" (RFC 8551, 3.5.3.2). */
static void name_hash(enum keys_method method, const struct _gpgme_op_sign_result *result,
		      char micalg[RING_MICALG_MAX])
{
	const char *hash = result && result->signatures ?
				   gpgme_hash_algo_name(result->signatures->hash_algo) : NULL;
	size_t n;

	if (!hash || strncasecmp(hash, "SHA", 3))
		hash = "SHA256";
	n = snprintf(micalg, RING_MICALG_MAX, method == KEYS_SMIME ? "sha-%.10s" : "pgp-sha%.10s",
		     hash + 3);
	for (size_t i = 0; i < n; i++)
		micalg[i] = (char)tolower((unsigned char)micalg[i]);
}

int ring_sign(struct ring *r, enum keys_method method, const char *who, const struct buffer *data,
	      struct buffer *out, char micalg[RING_MICALG_MAX], struct error *e)
{
	_cleanup_(pipe_free) struct pipe p = { 0 };
	gpgme_ctx_t c = r->context[method];
	gpgme_key_t signer;
	gpgme_error_t why;
	int q = find_signer(r, method, who, &signer, e);

	if (q < 0 || !signer)
		return q;
	gpgme_signers_clear(c);
	why = gpgme_signers_add(c, signer);
	gpgme_key_unref(signer);
	q = why ? fail(e, why, "GPGME cannot be used") : pipe_make(&p, data, NULL, e);
	if (q < 0)
		return q;
	gpgme_set_armor(c, method == KEYS_OPENPGP);
	if (method == KEYS_SMIME)
		gpgme_data_set_encoding(p.out, GPGME_DATA_ENCODING_BASE64);
	why = gpgme_op_sign(c, p.in, p.out, GPGME_SIG_MODE_DETACH);
	if (why)
		return fail(e, why, "The mail cannot be signed");
	name_hash(method, gpgme_op_sign_result(c), micalg);
	q = pipe_take(&p, out, e);
	return q < 0 ? q : 1;
}

static int decrypt(struct ring *r, enum keys_method method, gpgme_decrypt_flags_t flags,
		   const struct buffer *data, struct buffer *out, struct error *e)
{
	_cleanup_(pipe_free) struct pipe p = { 0 };
	gpgme_error_t why;
	int q = pipe_make(&p, data, NULL, e);

	if (q < 0)
		return q;
	why = gpgme_op_decrypt_ext(r->context[method], flags, p.in, p.out);
	return why ? fail(e, why, "The mail cannot be decrypted") : pipe_take(&p, out, e);
}

/* S/MIME has a signature as a layer of its own; OpenPGP shows it to who verifies. */
int ring_decrypt(struct ring *r, enum keys_method method, const struct buffer *data,
		 struct buffer *out, bool *wrapped, struct error *e)
{
	gpgme_verify_result_t result;
	size_t before = out->len;
	int q;

	*wrapped = false;
	if (method == KEYS_SMIME)
		return decrypt(r, method, 0, data, out, e);
	q = decrypt(r, method, GPGME_DECRYPT_VERIFY, data, out, e);
	result = q < 0 ? NULL : gpgme_op_verify_result(r->context[method]);
	if (!result || !result->signatures)
		return q;
	*wrapped = true;
	out->len = before;
	return decrypt(r, method, GPGME_DECRYPT_UNWRAP, data, out, e);
}

/* A certificate's subject as people write names: what stands behind CN=, and the address. */
static void name_subject(const struct _gpgme_key *k, struct ring_signature *ret)
{
	const char *cn = strstr(k->uids->uid, "CN="), *address = "";

	for (gpgme_user_id_t u = k->uids; u && !*address; u = u->next)
		address = u->email ? u->email : "";
	if (cn)
		snprintf(ret->signer, sizeof(ret->signer), "%.*s %s", (int)strcspn(cn + 3, ",/"),
			 cn + 3, address);
	else
		snprintf(ret->signer, sizeof(ret->signer), "%s", k->uids->uid);
}

static void name_signer(struct ring *r, enum keys_method method, const char *fingerprint,
			struct ring_signature *ret)
{
	gpgme_key_t k = NULL;

	if (fingerprint && !gpgme_get_key(r->context[method], fingerprint, &k, 0) && k->uids &&
	    method == KEYS_SMIME)
		name_subject(k, ret);
	else if (k && k->uids)
		snprintf(ret->signer, sizeof(ret->signer), "%s", k->uids->uid);
	else
		snprintf(ret->signer, sizeof(ret->signer), "key %s",
			 fingerprint ? fingerprint : "without a name");
	if (k)
		gpgme_key_unref(k);
}

/* An OpenPGP key that is here is trusted; a certificate also needs those above it. */
static enum ring_verdict judge(enum keys_method method, const struct _gpgme_signature *s)
{
	switch (gpgme_err_code(s->status)) {
	case GPG_ERR_NO_ERROR:
		return method == KEYS_OPENPGP ||
		       s->summary & (GPGME_SIGSUM_VALID | GPGME_SIGSUM_GREEN) ? RING_GOOD
									       : RING_UNKNOWN;
	case GPG_ERR_BAD_SIGNATURE:
		return RING_FORGED;
	case GPG_ERR_SIG_EXPIRED:
	case GPG_ERR_KEY_EXPIRED:
	case GPG_ERR_CERT_EXPIRED:
	case GPG_ERR_CERT_REVOKED:
		return RING_EXPIRED;
	default:
		return RING_UNKNOWN;
	}
}

/* Of several signatures the worst counts. */
static void judge_all(struct ring *r, enum keys_method method, struct ring_signature *ret)
{
	gpgme_verify_result_t result = gpgme_op_verify_result(r->context[method]);

	for (gpgme_signature_t s = result ? result->signatures : NULL; s; s = s->next) {
		enum ring_verdict v = judge(method, s);
		_free_ char *fingerprint = NULL;

		if (v <= ret->verdict)
			continue;
		ret->verdict = v;
		/* The next question overwrites what the result points to. */
		fingerprint = s->fpr ? strdup(s->fpr) : NULL;
		gpgme_result_ref(result);
		name_signer(r, method, fingerprint, ret);
		gpgme_result_unref(result);
	}
}

int ring_verify(struct ring *r, enum keys_method method, const struct buffer *data,
		const struct buffer *signature, struct ring_signature *ret, struct error *e)
{
	_cleanup_(pipe_free) struct pipe p = { 0 };
	gpgme_error_t why;
	int q = pipe_make(&p, data, signature, e);

	memset(ret, 0, sizeof(*ret));
	if (q < 0)
		return q;
	why = gpgme_op_verify(r->context[method], p.beside, p.in, NULL);
	if (why)
		return fail(e, why, "The signature cannot be read");
	judge_all(r, method, ret);
	return ret->verdict != RING_UNSIGNED ? 0 :
	       error_set(e, -EBADMSG, "What should be a signature is none");
}

int ring_unwrap(struct ring *r, enum keys_method method, const struct buffer *data,
		struct buffer *out, struct ring_signature *ret, struct error *e)
{
	_cleanup_(pipe_free) struct pipe p = { 0 };
	gpgme_error_t why;
	int q = pipe_make(&p, data, NULL, e);

	memset(ret, 0, sizeof(*ret));
	if (q < 0)
		return q;
	why = gpgme_op_verify(r->context[method], p.in, NULL, p.out);
	if (why)
		return fail(e, why, "What was signed cannot be read");
	judge_all(r, method, ret);
	return pipe_take(&p, out, e);
}

/* --- keys come and go --- */

/* gpgsm asks its agent whom to trust, and that asks this file: every root that was imported. */
static int trust_roots(struct ring *r, struct error *e)
{
	gpgme_ctx_t c = r->context[KEYS_SMIME];
	_free_ char *path = NULL;
	_fclose_ FILE *f = NULL;
	gpgme_key_t k;
	gpgme_error_t why;

	if (asprintf(&path, "%s/trustlist.txt", r->folder) < 0)
		return error_set(e, -ENOMEM, "Out of memory");
	f = fopen(path, "we");
	if (!f)
		return error_set(e, -errno, "Cannot write %s: %m", path);
	why = gpgme_op_keylist_start(c, NULL, 0);
	while (!why && !(why = gpgme_op_keylist_next(c, &k))) {
		if (k->chain_id && k->fpr && !strcmp(k->chain_id, k->fpr))
			fprintf(f, "%s S relax\n", k->fpr);
		gpgme_key_unref(k);
	}
	gpgme_op_keylist_end(c);
	if (fflush(f))
		return error_set(e, -errno, "Cannot write %s: %m", path);
	program_run(r->folder, -1, -1, end_agent);
	return 0;
}

/* What came, added up over the kinds that were tried. */
struct came {
	int considered, secret;
};

static gpgme_error_t import_data(struct ring *r, enum keys_method method,
				 const struct buffer *file, struct came *came)
{
	gpgme_ctx_t c = r->context[method];
	gpgme_import_result_t result;
	gpgme_data_t d;
	gpgme_error_t why = gpgme_data_new_from_mem(&d, file->data, file->len, 0);

	if (why)
		return why;
	why = gpgme_op_import(c, d);
	gpgme_data_release(d);
	result = why ? NULL : gpgme_op_import_result(c);
	if (result) {
		came->considered += result->imported + result->unchanged;
		came->secret += result->secret_read;
	}
	return why;
}

/* Has gpgsm read @file, a PKCS#12 file under an empty password. */
static int run_import(struct ring *r, const struct buffer *file, struct error *e)
{
	static const char *const import[] = {
		"gpgsm", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase-fd",
		"0", "--import", NULL, NULL,
	};
	const char *argv[ARRAY_SIZE(import)];
	_close_ int fd = keys_memory(file->data, file->len, e);
	_close_ int empty = keys_memory("\n", 1, e);
	char path[32];

	if (fd < 0 || empty < 0)
		return fd < 0 ? fd : empty;
	lseek(empty, 0, SEEK_SET);
	/* The program that is run inherits this one. */
	fcntl(fd, F_SETFD, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memcpy(argv, import, sizeof(import));
	argv[ARRAY_SIZE(import) - 2] = path;
	if (program_run(r->folder, empty, -1, argv) < 0)
		return error_set(e, -EIO, "gpgsm does not take the key of this PKCS#12 file");
	return 0;
}

/*
 * gpgsm reads few of today's PKCS#12 files: it gets one in the form that it knows. Of those
 * it cannot decrypt one in some hundred, by their random salts: the next has others.
 */
static int import_pkcs12(struct ring *r, const struct buffer *file, const char *password,
			 struct came *came, struct error *e)
{
	int q = -EIO;

	for (int tries = 0; tries < 4 && q == -EIO; tries++) {
		_buffer_ struct buffer plain = { 0 };

		q = pkcs12_rewrap(file, password, &plain, e);
		if (q >= 0)
			q = run_import(r, &plain, e);
		if (plain.len)
			explicit_bzero(plain.data, plain.len);
	}
	if (q < 0)
		return q;
	came->considered++;
	came->secret++;
	return 0;
}

/* Nothing is imported by looking. */
static bool holds_secret(struct ring *r, const struct buffer *file)
{
	gpgme_ctx_t c = r->context[KEYS_OPENPGP];
	bool secret = false;
	gpgme_error_t why;
	gpgme_data_t d;
	gpgme_key_t k;

	if (gpgme_data_new_from_mem(&d, file->data, file->len, 0))
		return false;
	why = gpgme_op_keylist_from_data_start(c, d, 0);
	while (!why && !(why = gpgme_op_keylist_next(c, &k))) {
		secret |= k->secret;
		gpgme_key_unref(k);
	}
	gpgme_op_keylist_end(c);
	gpgme_data_release(d);
	return secret;
}

static int add_grip(struct buffer *row, gpgme_subkey_t sub)
{
	return sub->keygrip ? buffer_append(row, sub->keygrip, strlen(sub->keygrip) + 1) : 0;
}

/* Of all secret keys here, as keys_arguments() takes them apart. */
static int list_grips(struct ring *r, struct buffer *row, struct error *e)
{
	gpgme_ctx_t c = r->context[KEYS_OPENPGP];
	gpgme_error_t why = gpgme_op_keylist_start(c, NULL, 1);
	gpgme_key_t k;
	int q = 0;

	while (!why && !(why = gpgme_op_keylist_next(c, &k))) {
		for (gpgme_subkey_t sub = k->subkeys; sub && q >= 0; sub = sub->next)
			q = add_grip(row, sub);
		gpgme_key_unref(k);
	}
	gpgme_op_keylist_end(c);
	if (gpgme_err_code(why) != GPG_ERR_EOF)
		return fail(e, why, "The secret keys of this file cannot be listed");
	return q < 0 ? error_set(e, q, "Out of memory") : 0;
}

static int unlock_all(struct ring *r, const char *password, struct error *e)
{
	_buffer_ struct buffer row = { 0 };
	char **grips = NULL;
	size_t n = 0;
	int q = list_grips(r, &row, e);

	if (q < 0)
		return q;
	q = keys_arguments(&row, &grips, &n);
	if (q < 0)
		return error_set(e, q, "There are too many secret keys in this file");
	q = passphrase_remove(r->folder, (const char *const *)grips, n, password, e);
	free(grips);
	return q;
}

/* All keys of one ring, as one file. */
static int export_all(struct ring *r, gpgme_export_mode_t mode, struct buffer *out,
		      struct error *e)
{
	_cleanup_(pipe_free) struct pipe p = { 0 };
	struct buffer none = { 0 };
	gpgme_error_t why;
	int q = pipe_make(&p, &none, NULL, e);

	if (q < 0)
		return q;
	gpgme_set_armor(r->context[KEYS_OPENPGP], 0);
	why = gpgme_op_export(r->context[KEYS_OPENPGP], NULL, mode, p.out);
	return why ? fail(e, why, "The keys of this file cannot be taken over")
		   : pipe_take(&p, out, e);
}

/* Into a ring of their own, without their passphrase, and out of it again. */
static int unlock_file(struct ring *aside, const struct buffer *file, const char *password,
		       struct came *came, struct buffer *out, struct error *e)
{
	int q;

	if (import_data(aside, KEYS_OPENPGP, file, came) || !came->secret)
		return error_set(e, -EBADMSG, "The secret key in this file cannot be read");
	q = unlock_all(aside, password, e);
	if (q >= 0)
		q = export_all(aside, 0, out, e);
	return q < 0 ? q : export_all(aside, GPGME_EXPORT_MODE_SECRET, out, e);
}

/*
 * Where the passphrase is missing or wrong the ring stays as it was: of a key that came with
 * one it would hold no more than what cannot be used.
 */
static int import_secret(struct ring *r, const struct buffer *file, const char *password,
			 struct came *came, struct error *e)
{
	_buffer_ struct buffer open = { 0 };
	struct ring *aside = NULL;
	struct came again = { 0 };
	char folder[FOLDER_MAX];
	int q;

	if (snprintf(folder, sizeof(folder), "%s/import", r->folder) >= (int)sizeof(folder))
		return error_set(e, -ENAMETOOLONG, "The keys' folder has too long a name");
	/* One that was cut short may have left it. */
	q = ring_destroy(folder, e);
	if (q >= 0)
		q = ring_open(&aside, folder, e);
	if (q >= 0)
		q = unlock_file(aside, file, password, came, &open, e);
	ring_close(aside);
	if (ring_destroy(folder, q < 0 ? NULL : e) < 0 && q >= 0)
		q = -EIO;
	if (q >= 0 && (import_data(r, KEYS_OPENPGP, &open, &again) || !again.secret))
		q = error_set(e, -EIO, "The keys of this file cannot be taken over");
	if (open.data)
		explicit_bzero(open.data, open.len);
	return q;
}

static int import_plain(struct ring *r, const struct buffer *file, struct came *came,
			struct error *e)
{
	for (int m = KEYS_OPENPGP; m < _KEYS_METHODS && !came->considered; m++)
		import_data(r, m, file, came);
	return came->considered ? 0 :
	       error_set(e, -EBADMSG, "The file holds no key that can be used: OpenPGP keys, X.509 "
			 "certificates and PKCS#12 are known");
}

int ring_import(struct ring *r, const struct buffer *file, const char *password,
		struct error *done, struct error *e)
{
	struct came came = { 0 };
	int q = 0;

	if (!file->len)
		return error_set(e, -EBADMSG, "The file is empty");
	if (pkcs12_is(file))
		q = import_pkcs12(r, file, password, &came, e);
	else if (holds_secret(r, file))
		q = import_secret(r, file, password, &came, e);
	else
		q = import_plain(r, file, &came, e);
	if (q >= 0)
		q = trust_roots(r, e);
	if (q >= 0)
		error_set(done, 0, "%d key(s) are here now, %d of them secret", came.considered,
			  came.secret);
	return q;
}

static const char *ails(const struct _gpgme_key *k)
{
	return k->revoked ? "revoked" : k->expired ? "expired" : k->invalid ? "invalid" :
	       k->disabled ? "disabled" : k->can_encrypt ? "good" : "signs only";
}

/* A subject or a user id is anybody's words: tabs and line ends would be ours. */
static int put_name(struct buffer *out, const char *name)
{
	int r = 0;

	for (; *name && r >= 0; name++)
		r = buffer_append(out, (unsigned char)*name < ' ' || *name == 0x7f ? " " : name, 1);
	return r < 0 ? r : buffer_append(out, "\n", 1);
}

static int list_one(struct ring *r, enum keys_method method, bool secret, struct buffer *out)
{
	gpgme_ctx_t c = r->context[method];
	gpgme_error_t why = gpgme_op_keylist_start(c, NULL, secret);
	gpgme_key_t k;
	int q = 0;

	while (!why && q >= 0 && !(why = gpgme_op_keylist_next(c, &k))) {
		bool root = method == KEYS_SMIME && !k->can_encrypt && !secret;

		if (k->fpr && k->subkeys && !root)
			q = buffer_printf(out, "%s\t%s\t%s\t%s\t%ld\t", keys_method_name(method),
					  k->fpr, secret ? "secret" : "public", ails(k),
					  k->subkeys->expires);
		if (k->fpr && k->subkeys && !root && q >= 0)
			q = put_name(out, k->uids && k->uids->uid ? k->uids->uid : "");
		gpgme_key_unref(k);
	}
	gpgme_op_keylist_end(c);
	return q;
}

int ring_list(struct ring *r, struct buffer *out, struct error *e)
{
	int q = 0;

	for (int m = KEYS_OPENPGP; m < _KEYS_METHODS && q >= 0; m++) {
		q = list_one(r, m, true, out);
		if (q >= 0)
			q = list_one(r, m, false, out);
	}
	return q < 0 ? error_set(e, q, "The list of keys is too long") : 0;
}

static int by_fingerprint(struct ring *r, const char *fingerprint, gpgme_key_t *key,
			  enum keys_method *method, struct error *e)
{
	size_t n = strlen(fingerprint);

	if (n < 32 || n > 64 || n != strspn(fingerprint, "0123456789abcdefABCDEF"))
		return error_set(e, -EINVAL, "\"%.70s\" is no fingerprint; \"ifaxctl keys list\" "
				 "shows them", fingerprint);
	for (int m = KEYS_OPENPGP; m < _KEYS_METHODS; m++)
		if (!gpgme_get_key(r->context[m], fingerprint, key, 0)) {
			*method = m;
			return 0;
		}
	return error_set(e, -ENOKEY, "There is no key %s; \"ifaxctl keys list\" shows them",
			 fingerprint);
}

int ring_export(struct ring *r, const char *fingerprint, struct buffer *out, struct error *e)
{
	_cleanup_(pipe_free) struct pipe p = { 0 };
	struct buffer none = { 0 };
	enum keys_method method;
	gpgme_key_t keys[2] = { 0 };
	gpgme_error_t why;
	int q = by_fingerprint(r, fingerprint, &keys[0], &method, e);

	if (q < 0)
		return q;
	q = pipe_make(&p, &none, NULL, e);
	if (q >= 0) {
		gpgme_set_armor(r->context[method], 1);
		why = gpgme_op_export_keys(r->context[method], keys, 0, p.out);
		q = why ? fail(e, why, "The key cannot be written") : pipe_take(&p, out, e);
	}
	gpgme_key_unref(keys[0]);
	return q;
}

int ring_remove(struct ring *r, const char *fingerprint, struct error *e)
{
	enum keys_method method;
	gpgme_key_t k = NULL;
	gpgme_error_t why;
	int q = by_fingerprint(r, fingerprint, &k, &method, e);

	if (q < 0)
		return q;
	why = gpgme_op_delete_ext(r->context[method], k,
				  GPGME_DELETE_ALLOW_SECRET | GPGME_DELETE_FORCE);
	gpgme_key_unref(k);
	return why ? fail(e, why, "The key cannot be removed") : 0;
}

int ring_make(struct ring *r, const char *name, const char *address, struct error *done,
	      struct error *e)
{
	gpgme_ctx_t c = r->context[KEYS_OPENPGP];
	gpgme_genkey_result_t result;
	_free_ char *id = NULL;
	gpgme_error_t why;

	if (strpbrk(name, "<>()\n") || strpbrk(address, "<> \n"))
		return error_set(e, -EINVAL, "A name or address with brackets cannot stand in "
				 "a key");
	if (asprintf(&id, "%s%s<%s>", name, *name ? " " : "", address) < 0)
		return error_set(e, -ENOMEM, "Out of memory");
	/* Two years would end unseen in a machine that nobody looks at. */
	why = gpgme_op_createkey(c, id, "default", 0, 0, NULL,
				 GPGME_CREATE_NOPASSWD | GPGME_CREATE_NOEXPIRE |
				 GPGME_CREATE_FORCE);
	if (why)
		return fail(e, why, "The key cannot be made");
	result = gpgme_op_genkey_result(c);
	error_set(done, 0, "key %s of %s is made", result->fpr, id);
	return 0;
}
