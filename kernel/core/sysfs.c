// SPDX-License-Identifier: GPL-2.0
/*
 * What people and udev see: attributes, uevents, debugfs.
 */
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/seq_file.h>
#include <linux/sysfs.h>

#include "core.h"

static struct fax_func *to_fax_func(const struct device *dev)
{
	return container_of(dev, struct fax_func, dev);
}

static const char *const fax_condition_names[] = {
	"paper-out", "jam", "cover", "paper-low", "toner-low", "toner-out", "output-full", "hot",
};

static const char *const fax_state_names[] = {
	[FAX_STATE_IDLE] = "idle",
	[FAX_STATE_BUSY] = "busy",
	[FAX_STATE_WAITING] = "waiting",
	[FAX_STATE_SUSPENDED] = "suspended",
	[FAX_STATE_FAULT] = "fault",
	[FAX_STATE_GONE] = "gone",
};

static const char *const fax_encoding_names[] = { "raw", "mh", "mr", "mmr" };

/* Names of the bits of @bits, with blanks between; "none" if there is none. */
static size_t fax_put_bits(char *buf, size_t size, u32 bits, const char *const *names, u32 n)
{
	size_t len = 0;
	u32 i;

	for (i = 0; i < n; i++)
		if (bits & BIT(i))
			len += scnprintf(buf + len, size - len, "%s%s", len ? " " : "", names[i]);
	return len ?: scnprintf(buf, size, "none");
}

static ssize_t fax_show_bits(char *buf, u32 bits, const char *const *names, u32 n)
{
	size_t len = fax_put_bits(buf, PAGE_SIZE - 1, bits, names, n);

	return len + sysfs_emit_at(buf, len, "\n");
}

static ssize_t function_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", fax_function_name(to_fax_func(dev)->function));
}
static DEVICE_ATTR_RO(function);

static ssize_t board_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct fax_board *board = to_fax_func(dev)->board;

	return sysfs_emit(buf, "%llu %s %s\n", board->id, board->model, board->serial);
}
static DEVICE_ATTR_RO(board);

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct fax_func *func = to_fax_func(dev);
	u32 state;

	mutex_lock(&func->board->lock);
	state = fax_state(func);
	mutex_unlock(&func->board->lock);
	return sysfs_emit(buf, "%s\n", fax_state_names[state]);
}
static DEVICE_ATTR_RO(state);

static ssize_t conditions_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return fax_show_bits(buf, READ_ONCE(to_fax_func(dev)->conditions), fax_condition_names,
			     ARRAY_SIZE(fax_condition_names));
}
static DEVICE_ATTR_RO(conditions);

static ssize_t encodings_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct fax_caps *caps = &to_fax_func(dev)->caps;

	return fax_show_bits(buf, caps->encodings | caps->decodings, fax_encoding_names,
			     ARRAY_SIZE(fax_encoding_names));
}
static DEVICE_ATTR_RO(encodings);

static ssize_t resolutions_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct fax_caps *caps = &to_fax_func(dev)->caps;
	int len = 0;
	u32 i;

	for (i = 0; i < caps->nresolutions; i++)
		len += sysfs_emit_at(buf, len, "%s%ux%u", i ? " " : "", caps->resolutions[i].x,
				     caps->resolutions[i].y);
	return len + sysfs_emit_at(buf, len, "%s\n", len ? "" : "any");
}
static DEVICE_ATTR_RO(resolutions);

static ssize_t widths_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct fax_caps *caps = &to_fax_func(dev)->caps;
	int len = 0;
	u32 i;

	if (!caps->nwidths)
		return sysfs_emit(buf, "%u-%u\n", caps->width_min, caps->width_max);
	for (i = 0; i < caps->nwidths; i++)
		len += sysfs_emit_at(buf, len, "%s%u", i ? " " : "", caps->widths[i]);
	return len + sysfs_emit_at(buf, len, "\n");
}
static DEVICE_ATTR_RO(widths);

static ssize_t ieee1284_id_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", to_fax_func(dev)->ieee1284_id ?: "");
}
static DEVICE_ATTR_RO(ieee1284_id);

static ssize_t api_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", FAX_API_REVISION);
}
static DEVICE_ATTR_RO(api);

static struct attribute *fax_attrs[] = {
	&dev_attr_function.attr,
	&dev_attr_board.attr,
	&dev_attr_state.attr,
	&dev_attr_conditions.attr,
	&dev_attr_encodings.attr,
	&dev_attr_resolutions.attr,
	&dev_attr_widths.attr,
	&dev_attr_ieee1284_id.attr,
	&dev_attr_api.attr,
	NULL
};

/* All of a function's, for the class. */
static const struct attribute_group fax_group = {
	.attrs = fax_attrs,
};

const struct attribute_group *fax_groups[] = {
	&fax_group,
	NULL
};

/*
 * Uevents.
 */

int fax_uevent(FAX_CONST_DEV struct device *dev, struct kobj_uevent_env *env)
{
	const struct fax_func *func = to_fax_func(dev);
	int ret;

	ret = add_uevent_var(env, "FAX_FUNCTION=%s", fax_function_name(func->function));
	if (!ret)
		ret = add_uevent_var(env, "FAX_BOARD=%s", func->board->model);
	if (!ret)
		ret = add_uevent_var(env, "FAX_SERIAL=%s", func->board->serial);
	if (!ret)
		ret = add_uevent_var(env, "FAX_API=%u", FAX_API_REVISION);
	return ret;
}

void fax_uevent_work(struct work_struct *work)
{
	struct fax_func *func = container_of(to_delayed_work(work), struct fax_func, uevent);
	char words[128] = "FAX_CONDITION=";
	size_t len = strlen(words);
	char *env[2] = { words };

	WRITE_ONCE(func->uevent_at, jiffies);
	fax_put_bits(words + len, sizeof(words) - len, READ_ONCE(func->conditions),
		     fax_condition_names, ARRAY_SIZE(fax_condition_names));
	kobject_uevent_env(&func->dev.kobj, KOBJ_CHANGE, env);
}

/* Say that conditions changed: at once, or as soon after the last time as is decent. */
void fax_uevent_change(struct fax_func *func)
{
	unsigned long next = READ_ONCE(func->uevent_at) + msecs_to_jiffies(FAX_UEVENT_MS);
	unsigned long now = jiffies;

	if (func->counted && !func->board->gone)
		schedule_delayed_work(&func->uevent, time_after(next, now) ? next - now : 0);
}

/*
 * debugfs: for people only, of no fixed form.
 */

static const char *const fax_job_state_names[] = {
	[FAX_JOB_QUEUED] = "queued",
	[FAX_JOB_RUNNING] = "running",
	[FAX_JOB_PARKED] = "parked",
	[FAX_JOB_ENDING] = "ending",
	[FAX_JOB_DONE] = "done",
};

static int jobs_show(struct seq_file *m, void *unused)
{
	struct fax_func *func = m->private;
	const struct fax_job *job;

	mutex_lock(&func->board->lock);
	list_for_each_entry(job, &func->jobs, node) {
		seq_printf(m, "job %u op %u %s rows %u/%u inflight %u context %d seg %u/%u",
			   job->id, job->op, fax_job_state_names[job->state], job->rows_done,
			   job->fmt.rows, job->inflight, job->context, job->seg, job->nsegs);
		if (job->pipe)
			seq_printf(m, " pipe wr %u rd %u%s", job->pipe->wr_done,
				   job->pipe->rd_done, job->pipe->eof ? " eof" : "");
		seq_putc(m, '\n');
	}
	mutex_unlock(&func->board->lock);
	return 0;
}

DEFINE_SHOW_ATTRIBUTE(jobs);

void fax_debugfs_add(struct fax_func *func)
{
	func->debugfs = debugfs_create_dir(dev_name(&func->dev), fax_debugfs);
	debugfs_create_file("jobs", 0400, func->debugfs, func, &jobs_fops);
}
