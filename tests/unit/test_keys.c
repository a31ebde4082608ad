/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and encrypted mail, against gpg and OpenSSL themselves as the other side. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "keys/mime.h"
#include "keys/serve.h"

static const char letter[] =
	"From: Alice <alice@example.test>\r\n"
	"To: office@example.test\r\n"
	"Subject: A fax\r\n"
	"Message-ID: <1@example.test>\r\n"
	"MIME-Version: 1.0\r\n"
	"Content-Type: text/plain; charset=utf-8\r\n"
	"Content-Transfer-Encoding: 8bit\r\n"
	"\r\n"
	"From here on it is nobody's business.\r\n"
	". A dot, and gr\xc3\xbc\xc3\x9f" "e.\r\n";

static char root[] = "/tmp/ifax-keyring-XXXXXX";
static char state[64];

static void sh(const char *fmt, ...)
{
	_free_ char *command = NULL, *whole = NULL;
	va_list ap;

	va_start(ap, fmt);
	assert_true(vasprintf(&command, fmt, ap) > 0);
	va_end(ap);
	assert_true(asprintf(&whole, "cd %s && exec 2>>log && %s", root, command) > 0);
	if (system(whole))
		fail_msg("%s", command);
}

static void put_file(const char *name, const struct buffer *b)
{
	_free_ char *path = NULL;
	FILE *f;

	assert_true(asprintf(&path, "%s/%s", root, name) > 0);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
	assert_int_equal(fclose(f), 0);
}

static void get_file(const char *name, struct buffer *b)
{
	_free_ char *path = NULL;
	char piece[4096];
	FILE *f;
	size_t n;

	buffer_clear(b);
	assert_true(asprintf(&path, "%s/%s", root, name) > 0);
	f = fopen(path, "re");
	assert_non_null(f);
	while ((n = fread(piece, 1, sizeof(piece), f)))
		assert_int_equal(buffer_append(b, piece, n), 0);
	fclose(f);
}

/* One request, as ifax-keyring would answer it; what comes out is put into @io, if any. */
static struct keys_reply ask(enum keys_op op, enum keys_method method, struct buffer *io,
			     size_t n, const char *const *argv)
{
	_buffer_ struct buffer row = { 0 };
	struct keys_request rq;
	struct keys_reply rp;
	int fds[KEYS_NFDS];

	for (size_t i = 0; i < n; i++)
		assert_int_equal(buffer_append(&row, argv[i], strlen(argv[i]) + 1), 0);
	fds[0] = keys_memory(io ? io->data : NULL, io ? io->len : 0, NULL);
	fds[1] = keys_memory(NULL, 0, NULL);
	fds[2] = keys_memory(row.data, row.len, NULL);
	keys_request_init(&rq, op, method);
	assert_true(keys_request_ok(&rq));
	keys_serve(state, &rq, fds, &rp);
	assert_true(keys_reply_ok(&rp));
	if (io) {
		buffer_clear(io);
		assert_int_equal(keys_read(fds[1], KEYS_OUTPUT_BYTES, io), 0);
	}
	for (int i = 0; i < KEYS_NFDS; i++)
		close(fds[i]);
	return rp;
}

#define ASK(op, method, io, ...)                                                   \
	ask(op, method, io, sizeof((const char *[]){ __VA_ARGS__ }) / sizeof(char *), \
	    (const char *[]){ __VA_ARGS__ })
#define ASK_OK(op, method, io, ...)                                       \
	do {                                                              \
		struct keys_reply _r = ASK(op, method, io, __VA_ARGS__); \
									  \
		if (_r.code != KEYS_OK)                                   \
			fail_msg("%s", _r.sentence);                      \
	} while (0)

static void import_file(const char *user, const char *name)
{
	_buffer_ struct buffer b = { 0 };

	get_file(name, &b);
	ASK_OK(KEYS_IMPORT, KEYS_ANY, &b, user, "");
}

#define PEER "gpg --homedir peer --batch --quiet --no-tty --trust-model always "

/* Alice has her own GnuPG; user 100 gets his key from the box. */
static void make_openpgp(void)
{
	_buffer_ struct buffer list = { 0 };
	struct keys_reply rp;
	const char *fingerprint;
	char name[65];

	sh("mkdir -m 700 peer");
	sh(PEER "--passphrase '' --quick-gen-key 'Alice <alice@example.test>' future-default "
	   "default never");
	sh(PEER "--export -a alice@example.test >alice.asc");
	import_file("", "alice.asc");
	ASK_OK(KEYS_MAKE, KEYS_ANY, NULL, "100", "Office", "office@example.test");
	rp = ASK(KEYS_LIST, KEYS_ANY, &list, "100");
	assert_int_equal(rp.code, KEYS_OK);
	assert_memory_equal(list.data, "openpgp\t", 8);
	assert_non_null(strstr(list.data, "\tsecret\tgood\t0\tOffice <office@example.test>\n"));
	fingerprint = list.data + 8;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(fingerprint, "\t"), fingerprint);
	ASK_OK(KEYS_EXPORT, KEYS_ANY, &list, "100", name);
	put_file("office.asc", &list);
	sh(PEER "--import office.asc");
}

static void make_smime(void)
{
	sh("openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650 "
	   "-subj '/CN=Test CA' -addext keyUsage=keyCertSign,cRLSign");
	sh("printf 'keyUsage=digitalSignature,keyEncipherment\\n"
	   "extendedKeyUsage=emailProtection\\nbasicConstraints=CA:false\\n' >ext");
	sh("for who in alice office; do "
	   "{ cat ext; echo subjectAltName=email:$who@example.test; } >$who.ext && "
	   "openssl req -newkey rsa:2048 -nodes -keyout $who.key -out $who.csr "
	   "-subj /CN=$who/emailAddress=$who@example.test && "
	   "openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 365 "
	   "-extfile $who.ext -out $who.pem || exit 1; done");
	sh("openssl pkcs12 -export -in office.pem -inkey office.key -certfile ca.pem "
	   "-passout pass:secret -out office.p12");
	sh("cat ca.pem alice.pem >others.pem");
	import_file("", "others.pem");
}

static int setup(void **unused)
{
	assert_non_null(mkdtemp(root));
	snprintf(state, sizeof(state), "%s/state", root);
	sh("mkdir -m 700 state");
	make_openpgp();
	make_smime();
	return 0;
}

static int teardown(void **unused)
{
	sh("gpgconf --homedir peer --kill gpg-agent");
	sh("rm -rf %s", root);
	return 0;
}

static void give(struct buffer *b, const char *text)
{
	buffer_clear(b);
	assert_int_equal(buffer_append(b, text, strlen(text)), 0);
}

static void has(const struct buffer *b, const char *text)
{
	if (!b->data || !strstr(b->data, text))
		fail_msg("no \"%s\" in:\n%s", text, b->data ? b->data : "");
}

static void has_not(const struct buffer *b, const char *text)
{
	assert_null(strstr(b->data, text));
}

/* What opens has the outer header, the inner content, and nothing else. */
static void is_letter(const struct buffer *b)
{
	has(b, "Subject: A fax\r\n");
	has(b, "\r\nMIME-Version: 1.0\r\nContent-Type: text/plain");
	has(b, "nobody's business.\r\n. A dot, and gr\xc3\xbc\xc3\x9f" "e.\r\n");
	has_not(b, "multipart");
	has_not(b, "pkcs7");
}

static void gpg_reads_what_is_sealed(void **unused)
{
	_buffer_ struct buffer b = { 0 };

	give(&b, letter);
	ASK_OK(KEYS_SEAL, KEYS_OPENPGP, &b, "", "", "alice@example.test");
	has(&b, "Subject: A fax\r\n");
	has(&b, "Content-Type: multipart/encrypted;");
	has_not(&b, "business");
	has_not(&b, "charset=utf-8");
	put_file("sealed", &b);
	sh("sed -n '/BEGIN PGP/,/END PGP/p' sealed | " PEER "--decrypt >clear");
	get_file("clear", &b);
	has(&b, "Content-Type: text/plain; charset=utf-8\r\n");
	has(&b, "nobody's business.\r\n");
}

static void openssl_reads_what_is_sealed(void **unused)
{
	_buffer_ struct buffer b = { 0 };

	give(&b, letter);
	ASK_OK(KEYS_SEAL, KEYS_SMIME, &b, "", "", "alice@example.test");
	has(&b, "smime-type=enveloped-data");
	has_not(&b, "charset=utf-8");
	put_file("sealed", &b);
	sh("openssl cms -decrypt -in sealed -recip alice.pem -inkey alice.key >clear");
	get_file("clear", &b);
	has(&b, "Content-Type: text/plain; charset=utf-8\r\n");
	has(&b, "nobody's business.\r\n");
}

/* Within what is encrypted: the user's own key signs, and gpg says so. */
static void gpg_verifies_what_is_signed(void **unused)
{
	_buffer_ struct buffer b = { 0 }, part = { 0 };
	char boundary[80], end[90];
	const char *at, *stop;

	give(&b, letter);
	ASK_OK(KEYS_SEAL, KEYS_OPENPGP, &b, "100", "office@example.test", "alice@example.test");
	put_file("sealed", &b);
	sh("sed -n '/BEGIN PGP/,/END PGP/p' sealed | " PEER "--decrypt >clear");
	get_file("clear", &b);
	has(&b, "Content-Type: multipart/signed; micalg=pgp-sha");
	assert_int_equal(sscanf(strstr(b.data, "boundary="), "boundary=\"%70[^\"]", boundary), 1);
	snprintf(end, sizeof(end), "\r\n--%s\r\n", boundary);
	at = strstr(strstr(b.data, "\r\n\r\n"), end);
	assert_non_null(at);
	at += strlen(end);
	stop = strstr(at, end);
	assert_non_null(stop);
	assert_int_equal(buffer_append(&part, at, stop - at), 0);
	put_file("part", &part);
	sh("sed -n '/BEGIN PGP SIG/,/END PGP SIG/p' clear >part.asc && " PEER
	   "--status-fd 1 --verify part.asc part >status && grep -q 'GOODSIG.*office@example.test' "
	   "status");
	sh("printf x >>part && ! " PEER "--verify part.asc part");
	/* Who has no ring sends without, and gets none by that. */
	give(&b, letter);
	ASK_OK(KEYS_SEAL, KEYS_OPENPGP, &b, "900", "x@example.test", "alice@example.test");
	sh("test ! -e %s/users/900", state);
	give(&b, letter);
	ASK_OK(KEYS_SEAL, KEYS_OPENPGP, &b, "100", "another@example.test", "alice@example.test");
	put_file("sealed", &b);
	sh("sed -n '/BEGIN PGP/,/END PGP/p' sealed | " PEER "--decrypt >clear");
	get_file("clear", &b);
	has_not(&b, "multipart/signed");
}

/* Not without, as if he had never signed: that is for a person to decide. */
static void an_expired_key_signs_nothing(void **unused)
{
	_buffer_ struct buffer b = { 0 };
	const char *const expired[] = { "600", "x@example.test", "alice@example.test" };
	const char *const another[] = { "600", "y@example.test", "alice@example.test" };
	struct keys_reply rp;

	sh("mkdir -m 700 state/users/600");
	sh("gpg --homedir state/users/600 --batch --passphrase '' --quick-gen-key "
	   "'X <x@example.test>' future-default default seconds=1 && sleep 2");
	for (enum keys_op op = KEYS_CHECK; op <= KEYS_SEAL; op++) {
		give(&b, letter);
		rp = ask(op, KEYS_OPENPGP, &b, 3, expired);
		assert_int_equal(rp.code, KEYS_NO_KEY);
		assert_int_equal(rp.error, -EKEYEXPIRED);
		assert_non_null(strstr(rp.sentence, "x@example.test signs has expired"));
		assert_int_equal(b.len, 0);
		/* That is no matter of who has another, or none. */
		give(&b, letter);
		rp = ask(op, KEYS_OPENPGP, &b, 3, another);
		assert_int_equal(rp.code, KEYS_OK);
	}
	sh("gpg --homedir state/users/600 --batch --yes --passphrase '' --quick-gen-key "
	   "'X <x@example.test>' future-default default never");
	ASK_OK(KEYS_CHECK, KEYS_OPENPGP, NULL, "600", "x@example.test", "alice@example.test");
}

static void openssl_verifies_what_is_signed(void **unused)
{
	_buffer_ struct buffer b = { 0 };

	give(&b, letter);
	ASK_OK(KEYS_SEAL, KEYS_SMIME, &b, "100", "office@example.test", "alice@example.test");
	put_file("sealed", &b);
	sh("openssl cms -decrypt -in sealed -recip alice.pem -inkey alice.key >clear && "
	   "openssl cms -verify -in clear -CAfile ca.pem -signer who.pem >content && "
	   "openssl x509 -in who.pem -noout -subject | grep -q office");
	get_file("clear", &b);
	has(&b, "Content-Type: multipart/signed; micalg=sha-");
	get_file("content", &b);
	has(&b, "nobody's business.\r\n");
}

static void split_letter(void)
{
	_buffer_ struct buffer b = { 0 };

	give(&b, strstr(letter, "Content-Type"));
	put_file("entity", &b);
	b.len = 0;
	assert_int_equal(buffer_append(&b, letter, strstr(letter, "MIME-Version") - letter), 0);
	put_file("header", &b);
}

/* Mail as Alice's program writes it: @how tells gpg. */
static void alice_writes_pgp(const char *how, const char *name)
{
	split_letter();
	sh(PEER "-a %s -o - entity >body", how);
	sh("{ cat header; printf 'MIME-Version: 1.0\\r\\nContent-Type: multipart/encrypted; "
	   "protocol=\"application/pgp-encrypted\"; boundary=b\\r\\n\\r\\n--b\\r\\n"
	   "Content-Type: application/pgp-encrypted\\r\\n\\r\\nVersion: 1\\r\\n--b\\r\\n"
	   "Content-Type: application/octet-stream\\r\\n\\r\\n'; cat body; "
	   "printf '\\r\\n--b--\\r\\n'; } >%s", name);
}

static void opens(const char *name, const char *user, const char *mark)
{
	_buffer_ struct buffer b = { 0 };
	struct keys_reply rp;

	get_file(name, &b);
	rp = ASK(KEYS_OPEN, KEYS_ANY, &b, user);
	if (rp.code != KEYS_OK)
		fail_msg("%s: %s", name, rp.sentence);
	is_letter(&b);
	assert_string_equal(rp.mark, mark);
}

static void opens_not(const char *name, const char *user, enum keys_code code, const char *words)
{
	_buffer_ struct buffer b = { 0 };
	struct keys_reply rp;

	get_file(name, &b);
	rp = ASK(KEYS_OPEN, KEYS_ANY, &b, user);
	if (rp.code != code)
		fail_msg("%s for %s: %u, %s", name, user, rp.code, rp.sentence);
	if (!strstr(rp.sentence, words))
		fail_msg("\"%s\" does not say \"%s\"", rp.sentence, words);
	assert_int_equal(b.len, 0);
}

static void what_gpg_encrypts_opens(void **unused)
{
	alice_writes_pgp("--encrypt -r office@example.test", "mail");
	opens("mail", "100", "OpenPGP: came encrypted, not signed");
	alice_writes_pgp("--encrypt --sign -r office@example.test", "mail");
	opens("mail", "100", "OpenPGP: came encrypted, signed by Alice <alice@example.test>");
}

static void only_his_own_key_opens(void **unused)
{
	alice_writes_pgp("--encrypt -r office@example.test", "mail");
	opens_not("mail", "200", KEYS_NO_KEY, "cannot be decrypted");
	opens_not("mail", "../users/100", KEYS_BAD, "no user's ring");
	sh("sed '/BEGIN PGP/,/END PGP/s/^[a-zA-Z0-9]\\{8\\}/AAAAAAAA/' mail >broken");
	sh("! cmp -s mail broken");
	opens_not("broken", "100", KEYS_BAD, "");
}

static void alice_signs(const char *name)
{
	split_letter();
	sh(PEER "-a --detach-sign -o - entity >body");
	sh("{ cat header; printf 'MIME-Version: 1.0\\r\\nContent-Type: multipart/signed; "
	   "micalg=pgp-sha256; protocol=\"application/pgp-signature\"; boundary=b\\r\\n\\r\\n"
	   "--b\\r\\n'; cat entity; printf '\\r\\n--b\\r\\n"
	   "Content-Type: application/pgp-signature\\r\\n\\r\\n'; cat body; "
	   "printf '\\r\\n--b--\\r\\n'; } >%s", name);
}

static void signatures_are_judged(void **unused)
{
	alice_signs("mail");
	opens("mail", "100", "OpenPGP: signed by Alice <alice@example.test>");
	sh("sed 's/From here/From  here/' mail >forged");
	{
		_buffer_ struct buffer b = { 0 };
		struct keys_reply rp;

		get_file("forged", &b);
		rp = ASK(KEYS_OPEN, KEYS_ANY, &b, "100");
		assert_int_equal(rp.code, KEYS_OK);
		assert_non_null(strstr(rp.mark, "BAD SIGNATURE"));
	}
	sh(PEER "--passphrase '' --quick-gen-key 'Mallory <m@example.test>' ed25519 sign never");
	alice_writes_pgp("-u m@example.test --encrypt --sign -r office@example.test", "mail");
	{
		_buffer_ struct buffer b = { 0 };
		struct keys_reply rp;

		get_file("mail", &b);
		rp = ASK(KEYS_OPEN, KEYS_ANY, &b, "100");
		assert_int_equal(rp.code, KEYS_OK);
		assert_non_null(strstr(rp.mark, "encrypted, signed, but NOT VERIFIED, by key "));
	}
}

static void what_openssl_encrypts_opens(void **unused)
{
	_buffer_ struct buffer b = { 0 };
	struct keys_reply rp;

	get_file("office.p12", &b);
	rp = ASK(KEYS_IMPORT, KEYS_ANY, &b, "100", "wrong");
	assert_int_equal(rp.code, KEYS_BAD);
	assert_non_null(strstr(rp.sentence, "password does not open"));
	get_file("office.p12", &b);
	ASK_OK(KEYS_IMPORT, KEYS_ANY, &b, "100", "secret");
	split_letter();
	sh("openssl cms -encrypt -aes256 -in entity -binary office.pem >body");
	sh("{ cat header; cat body; } >mail");
	opens("mail", "100", "S/MIME: came encrypted, not signed");
	opens_not("mail", "200", KEYS_NO_KEY, "");
	sh("openssl cms -sign -binary -signer alice.pem -inkey alice.key -in entity >signed && "
	   "{ cat header; cat signed; } >mail");
	opens("mail", "100", "S/MIME: signed by alice <alice@example.test>");
	sh("openssl cms -sign -nodetach -binary -signer alice.pem -inkey alice.key -in entity "
	   ">opaque && { cat header; cat opaque; } >mail");
	opens("mail", "100", "S/MIME: signed by alice <alice@example.test>");
	sh("openssl cms -encrypt -aes256 -in signed -binary office.pem >both && "
	   "{ cat header; cat both; } >mail");
	opens("mail", "100", "S/MIME: came encrypted, signed by alice <alice@example.test>");
}

static void imports_not(const char *name, const char *password, const char *words)
{
	_buffer_ struct buffer b = { 0 }, list = { 0 };
	struct keys_reply rp;

	get_file(name, &b);
	rp = ASK(KEYS_IMPORT, KEYS_ANY, &b, "700", password);
	assert_int_equal(rp.code, KEYS_BAD);
	if (!strstr(rp.sentence, words))
		fail_msg("%s", rp.sentence);
	/* No half of it is here. */
	ASK_OK(KEYS_LIST, KEYS_ANY, &list, "700");
	assert_int_equal(list.len, 0);
}

/* A key with a passphrase comes in by that once, and works without from then on. */
static void a_passphrase_is_asked_for_once(void **unused)
{
	_buffer_ struct buffer b = { 0 }, list = { 0 };
	struct keys_reply rp;

	sh("mkdir -m 700 locked");
	sh("gpg --homedir locked --batch --pinentry-mode loopback --passphrase 'open s%%same' "
	   "--quick-gen-key 'Ali <ali@example.test>' future-default default never");
	sh("gpg --homedir locked --batch --pinentry-mode loopback --passphrase 'open s%%same' "
	   "--export-secret-keys -a >locked.asc && gpgconf --homedir locked --kill gpg-agent");
	/* Others' public keys may stand in the same file. */
	sh("cat alice.asc >>locked.asc");
	imports_not("locked.asc", "", "has a passphrase: import it with --password-file");
	imports_not("locked.asc", "open s%same ", "passphrase does not open");
	get_file("locked.asc", &b);
	rp = ASK(KEYS_IMPORT, KEYS_ANY, &b, "700", "open s%same");
	assert_string_equal(rp.sentence, "2 key(s) are here now, 1 of them secret");
	ASK_OK(KEYS_LIST, KEYS_ANY, &list, "700");
	has(&list, "\tsecret\tgood\t0\tAli <ali@example.test>\n");
	has(&list, "\tpublic\tgood\t0\tAlice <alice@example.test>\n");
	sh("test ! -e %s/users/700/import", state);
	sh(PEER "--import locked.asc || true");
	alice_writes_pgp("--encrypt -r ali@example.test", "mail");
	opens("mail", "700", "OpenPGP: came encrypted, not signed");
	give(&b, letter);
	ASK_OK(KEYS_SEAL, KEYS_OPENPGP, &b, "700", "ali@example.test", "alice@example.test");
	put_file("sealed", &b);
	sh("sed -n '/BEGIN PGP/,/END PGP/p' sealed | " PEER "--decrypt >clear");
	get_file("clear", &b);
	has(&b, "Content-Type: multipart/signed");
}

/* One that has none needs none, whatever is said. */
static void without_a_passphrase_any_will_do(void **unused)
{
	_buffer_ struct buffer b = { 0 };

	sh(PEER "--export-secret-keys -a alice@example.test >open.asc");
	get_file("open.asc", &b);
	ASK_OK(KEYS_IMPORT, KEYS_ANY, &b, "800", "");
	get_file("open.asc", &b);
	ASK_OK(KEYS_IMPORT, KEYS_ANY, &b, "800", "anything");
	ASK_OK(KEYS_CHECK, KEYS_OPENPGP, NULL, "800", "alice@example.test", "alice@example.test");
}

static void keys_are_looked_up_whole(void **unused)
{
	struct keys_reply rp;

	ASK_OK(KEYS_CHECK, KEYS_OPENPGP, NULL, "", "", "alice@example.test");
	ASK_OK(KEYS_CHECK, KEYS_OPENPGP, NULL, "", "", "ALICE@example.test");
	ASK_OK(KEYS_CHECK, KEYS_SMIME, NULL, "", "", "alice@example.test");
	rp = ASK(KEYS_CHECK, KEYS_OPENPGP, NULL, "", "", "alice@example.test",
		 "lice@example.test");
	assert_int_equal(rp.code, KEYS_NO_KEY);
	assert_non_null(strstr(rp.sentence, "There is no openpgp key of lice@example.test"));
	/* His own key is not one of the others'. */
	rp = ASK(KEYS_CHECK, KEYS_OPENPGP, NULL, "", "", "office@example.test");
	assert_int_equal(rp.code, KEYS_NO_KEY);
}

static void what_makes_no_sense_is_refused(void **unused)
{
	_buffer_ struct buffer b = { 0 };
	struct keys_reply rp;

	give(&b, "This is no key.\n");
	rp = ASK(KEYS_IMPORT, KEYS_ANY, &b, "", "");
	assert_int_equal(rp.code, KEYS_BAD);
	assert_non_null(strstr(rp.sentence, "no key that can be used"));
	rp = ASK(KEYS_REMOVE, KEYS_ANY, NULL, "", "--all");
	assert_int_equal(rp.code, KEYS_BAD);
	rp = ASK(KEYS_EXPORT, KEYS_ANY, NULL, "", "0123456789012345678901234567890123456789");
	assert_int_equal(rp.code, KEYS_NO_KEY);
	rp = ASK(KEYS_MAKE, KEYS_ANY, NULL, "300", "A <b@c>", "x@example.test");
	assert_int_equal(rp.code, KEYS_BAD);
	rp = ASK(KEYS_SEAL, KEYS_ANY, NULL, "", "", "alice@example.test");
	assert_int_equal(rp.code, KEYS_TROUBLE);
	give(&b, "no header ends here");
	rp = ASK(KEYS_OPEN, KEYS_ANY, &b, "100");
	assert_int_equal(rp.code, KEYS_BAD);
}

static void a_removed_key_is_gone(void **unused)
{
	_buffer_ struct buffer list = { 0 };
	char name[65];

	ASK_OK(KEYS_MAKE, KEYS_ANY, NULL, "400", "Gone", "gone@example.test");
	ASK_OK(KEYS_LIST, KEYS_ANY, &list, "400");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(list.data + 8, "\t"), list.data + 8);
	ASK_OK(KEYS_REMOVE, KEYS_ANY, NULL, "400", name);
	ASK_OK(KEYS_LIST, KEYS_ANY, &list, "400");
	assert_int_equal(list.len, 0);
}

static void a_removed_ring_is_gone(void **unused)
{
	_buffer_ struct buffer list = { 0 };
	struct keys_reply rp;

	ASK_OK(KEYS_MAKE, KEYS_ANY, NULL, "500.0123456789abcdef", "Gone", "gone@example.test");
	sh("test -d %s/users/500.0123456789abcdef/private-keys-v1.d", state);
	ASK_OK(KEYS_REMOVE_RING, KEYS_ANY, NULL, "500.0123456789abcdef");
	sh("test ! -e %s/users/500.0123456789abcdef", state);
	/* And once more: the answer may have been lost. */
	ASK_OK(KEYS_REMOVE_RING, KEYS_ANY, NULL, "500.0123456789abcdef");
	ASK_OK(KEYS_LIST, KEYS_ANY, &list, "500.0123456789abcdef");
	assert_int_equal(list.len, 0);
	for (const char **name = (const char *[]){ "", "..", "../others", ".", "a/b", NULL }; *name;
	     name++) {
		rp = ASK(KEYS_REMOVE_RING, KEYS_ANY, NULL, *name);
		assert_int_equal(rp.code, KEYS_BAD);
	}
	ASK_OK(KEYS_CHECK, KEYS_OPENPGP, NULL, "", "", "alice@example.test");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpg_reads_what_is_sealed),
		cmocka_unit_test(openssl_reads_what_is_sealed),
		cmocka_unit_test(gpg_verifies_what_is_signed),
		cmocka_unit_test(what_gpg_encrypts_opens),
		cmocka_unit_test(only_his_own_key_opens),
		cmocka_unit_test(signatures_are_judged),
		cmocka_unit_test(what_openssl_encrypts_opens),
		cmocka_unit_test(openssl_verifies_what_is_signed),
		cmocka_unit_test(an_expired_key_signs_nothing),
		cmocka_unit_test(a_passphrase_is_asked_for_once),
		cmocka_unit_test(without_a_passphrase_any_will_do),
		cmocka_unit_test(keys_are_looked_up_whole),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(a_removed_key_is_gone),
		cmocka_unit_test(a_removed_ring_is_gone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
