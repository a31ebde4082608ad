/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CRC-32C (Castagnoli): start with 0, feed the last result back in to go on. */
#ifndef IFAX_STORE_CRC32C_H
#define IFAX_STORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
