# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# User space's builds of the coder: the sources, and what each of them is compiled with.
# T4_DIR is this folder's parent; for the source simd/x.c, $(T4_FLAGS_x) goes to the compiler.
T4_SRC := $(T4_DIR)/tables.c $(wildcard $(T4_DIR)/simd/*.c)

T4_FLAGS_scalar := -O3
T4_FLAGS_neon   := -O3
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
T4_FLAGS_scalar += -mgeneral-regs-only
T4_FLAGS_avx2   := -O3 -fno-tree-slp-vectorize -mavx2 -mbmi -mbmi2 -mlzcnt -mpopcnt
T4_FLAGS_avx512 := $(T4_FLAGS_avx2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi \
		   -mavx512vbmi2 -mavx512bitalg -mgfni -mpclmul -mprefer-vector-width=512
endif
