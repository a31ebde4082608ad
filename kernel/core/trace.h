/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM fax

#if !defined(FAX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define FAX_TRACE_H

#include <linux/device.h>
#include <linux/tracepoint.h>

#include "core.h"

TRACE_EVENT(fax_submit,
	TP_PROTO(struct device *dev, const struct fax_job *job),
	TP_ARGS(dev, job),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, job)
		__field(u32, op)
		__field(u32, width)
		__field(u32, rows)
		__field(bool, piped)
	),
	TP_fast_assign(
		fax_assign_str(dev, dev_name(dev));
		__entry->job = job->id;
		__entry->op = job->op;
		__entry->width = job->fmt.width;
		__entry->rows = job->fmt.rows;
		__entry->piped = job->pipe;
	),
	TP_printk("%s job=%u op=%u width=%u rows=%u piped=%d", __get_str(dev),
		  __entry->job, __entry->op, __entry->width, __entry->rows, __entry->piped)
);

TRACE_EVENT(fax_chunk_start,
	TP_PROTO(struct device *dev, const struct fax_chunk *chunk),
	TP_ARGS(dev, chunk),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, job)
		__field(u32, gen)
		__field(u32, flags)
		__field(u32, rows)
	),
	TP_fast_assign(
		fax_assign_str(dev, dev_name(dev));
		__entry->job = chunk->job->id;
		__entry->gen = chunk->gen;
		__entry->flags = chunk->flags;
		__entry->rows = chunk->rows;
	),
	TP_printk("%s job=%u gen=%u flags=%#x rows=%u", __get_str(dev),
		  __entry->job, __entry->gen, __entry->flags, __entry->rows)
);

TRACE_EVENT(fax_chunk_done,
	TP_PROTO(struct device *dev, const struct fax_chunk *chunk,
		 const struct fax_chunk_result *result),
	TP_ARGS(dev, chunk, result),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, job)
		__field(u32, gen)
		__field(u32, code)
		__field(u32, flags)
		__field(u32, rows)
		__field(u32, bytes)
	),
	TP_fast_assign(
		fax_assign_str(dev, dev_name(dev));
		__entry->job = chunk->job->id;
		__entry->gen = chunk->gen;
		__entry->code = result->code;
		__entry->flags = result->flags;
		__entry->rows = result->rows;
		__entry->bytes = result->bytes;
	),
	TP_printk("%s job=%u gen=%u code=%u flags=%#x rows=%u bytes=%u", __get_str(dev),
		  __entry->job, __entry->gen, __entry->code, __entry->flags,
		  __entry->rows, __entry->bytes)
);

TRACE_EVENT(fax_event,
	TP_PROTO(struct device *dev, u32 conditions, u32 changed),
	TP_ARGS(dev, conditions, changed),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, conditions)
		__field(u32, changed)
	),
	TP_fast_assign(
		fax_assign_str(dev, dev_name(dev));
		__entry->conditions = conditions;
		__entry->changed = changed;
	),
	TP_printk("%s conditions=%#x changed=%#x", __get_str(dev),
		  __entry->conditions, __entry->changed)
);

TRACE_EVENT(fax_reset,
	TP_PROTO(struct device *dev, u32 code, int ret),
	TP_ARGS(dev, code, ret),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, code)
		__field(int, ret)
	),
	TP_fast_assign(
		fax_assign_str(dev, dev_name(dev));
		__entry->code = code;
		__entry->ret = ret;
	),
	TP_printk("%s code=%u ret=%d", __get_str(dev), __entry->code, __entry->ret)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
