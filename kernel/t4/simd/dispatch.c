// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The functions of t4.h in user space: each call goes to the variant at work. */
#include "t4.h"
#include "t4_variant.h"
#include "ops.h"

struct variant {
	const char *name;
	const struct t4_ops *ops;
	bool (*usable)(void);
};

static bool always(void)
{
	return true;
}

#ifdef __x86_64__
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
}

static bool has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi") &&
	       __builtin_cpu_supports("avx512vbmi2") &&
	       __builtin_cpu_supports("avx512bitalg") && __builtin_cpu_supports("gfni") &&
	       __builtin_cpu_supports("pclmul");
}
#endif

/* The best one comes last, and then nothing. */
static const struct variant variants[] = {
	{ "scalar", &t4_ops_scalar, always },
#ifdef __x86_64__
	{ "avx2", &t4_ops_avx2, has_avx2 },
	{ "avx512", &t4_ops_avx512, has_avx512 },
#elif defined(__aarch64__)
	{ "neon", &t4_ops_neon, always },
#endif
	{ NULL, NULL, NULL },
};

/* NULL until the first call; threads that race there all find the same. */
static const struct t4_ops *chosen;

static const struct variant *variant_at(u32 wanted)
{
	const struct variant *v;

	for (v = variants; v->name; v++)
		if (v->usable() && !wanted--)
			return v;
	return NULL;
}

const char *t4_variant_name(u32 i)
{
	const struct variant *v = variant_at(i);

	return v ? v->name : NULL;
}

int t4_variant_set(const char *name)
{
	const struct t4_ops *found = NULL;
	const struct variant *v;
	u32 i;

	for (i = 0; (v = variant_at(i)); i++)
		if (!name || !strcmp(v->name, name))
			found = v->ops;
	if (!found)
		return -EINVAL;
	__atomic_store_n(&chosen, found, __ATOMIC_RELAXED);
	return 0;
}

static const struct t4_ops *ops(void)
{
	const struct t4_ops *o = __atomic_load_n(&chosen, __ATOMIC_RELAXED);

	if (unlikely(!o)) {
		t4_variant_set(NULL);
		o = __atomic_load_n(&chosen, __ATOMIC_RELAXED);
	}
	return o;
}

size_t t4_row_bound(u32 width)
{
	return T4_ROW_BOUND(width);
}

int t4_encoder_init(struct t4_encoder *e, const struct t4_params *p)
{
	return ops()->encoder_init(e, p);
}

int t4_encode(struct t4_encoder *e, const void *rows, size_t stride, u32 nrows,
	      u32 *consumed, void *out, size_t out_len, size_t *produced)
{
	return ops()->encode(e, rows, stride, nrows, consumed, out, out_len, produced);
}

int t4_encode_end(struct t4_encoder *e, void *out, size_t out_len, size_t *produced)
{
	return ops()->encode_end(e, out, out_len, produced);
}

int t4_decoder_init(struct t4_decoder *d, const struct t4_params *p)
{
	return ops()->decoder_init(d, p);
}

int t4_decode(struct t4_decoder *d, const void *in, size_t in_len, bool last,
	      size_t *consumed, void *rows, size_t stride, u32 nrows, u32 *produced)
{
	return ops()->decode(d, in, in_len, last, consumed, rows, stride, nrows, produced);
}

const struct t4_damage *t4_decoder_damage(const struct t4_decoder *d)
{
	return &d->damage;
}
