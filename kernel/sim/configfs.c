// SPDX-License-Identifier: GPL-2.0
/*
 * configfs: a directory below faxsim is a box with its paper; live says
 * whether it is plugged in. The directories that the module makes itself
 * cannot be removed, only unplugged.
 */
#include <linux/err.h>
#include <linux/slab.h>
#include "sim.h"

static struct sim_board *module_boards[SIM_BOARDS];

static struct sim_board *to_board(struct config_item *item)
{
	return container_of(to_config_group(item), struct sim_board, group);
}

static int set_live(struct sim_board *sb, bool live)
{
	struct sim_hw *hw;
	int ret = 0;

	mutex_lock(&sb->live_lock);
	if (live && !sb->hw) {
		hw = sim_hw_plug(sb);
		if (IS_ERR(hw))
			ret = PTR_ERR(hw);
		else
			sb->hw = hw;
	} else if (!live && sb->hw) {
		sim_hw_unplug(sb->hw);
		sb->hw = NULL;
	}
	mutex_unlock(&sb->live_lock);
	return ret;
}

static ssize_t sim_live_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", !!READ_ONCE(to_board(item)->hw));
}

static ssize_t sim_live_store(struct config_item *item, const char *page, size_t len)
{
	bool live;
	int ret;

	ret = kstrtobool(page, &live);
	if (!ret)
		ret = set_live(to_board(item), live);
	return ret ?: len;
}
CONFIGFS_ATTR(sim_, live);

static ssize_t sim_suspend_show(struct config_item *item, char *page)
{
	struct sim_board *sb = to_board(item);
	bool asleep;

	mutex_lock(&sb->live_lock);
	asleep = sb->hw && READ_ONCE(sb->hw->asleep);
	mutex_unlock(&sb->live_lock);
	return sysfs_emit(page, "%d\n", asleep);
}

static ssize_t sim_suspend_store(struct config_item *item, const char *page, size_t len)
{
	struct sim_board *sb = to_board(item);
	bool suspend;
	int ret;

	ret = kstrtobool(page, &suspend);
	if (ret)
		return ret;
	mutex_lock(&sb->live_lock);
	ret = sb->hw ? sim_hw_suspend(sb->hw, suspend) : -ENODEV;
	mutex_unlock(&sb->live_lock);
	return ret ?: len;
}
CONFIGFS_ATTR(sim_, suspend);

static ssize_t sim_serial_show(struct config_item *item, char *page)
{
	struct sim_board *sb = to_board(item);
	ssize_t ret;

	mutex_lock(&sb->live_lock);
	ret = sysfs_emit(page, "%s\n", sb->serial);
	mutex_unlock(&sb->live_lock);
	return ret;
}

/* What stands on the box cannot change while it is plugged in. */
static ssize_t sim_serial_store(struct config_item *item, const char *page, size_t len)
{
	struct sim_board *sb = to_board(item);
	size_t n = strcspn(page, "\n");
	ssize_t ret = len;

	if (!n || n >= sizeof(sb->serial))
		return -EINVAL;
	mutex_lock(&sb->live_lock);
	if (sb->hw)
		ret = -EBUSY;
	else
		strscpy(sb->serial, page, n + 1);
	mutex_unlock(&sb->live_lock);
	return ret;
}
CONFIGFS_ATTR(sim_, serial);

/* A number of sim_paper: shown, and set within bounds, under the lock. */
static ssize_t show_u32(struct config_item *item, u32 *field, char *page)
{
	struct sim_paper *p = &to_board(item)->paper;
	u32 val;

	mutex_lock(&p->lock);
	val = *field;
	mutex_unlock(&p->lock);
	return sysfs_emit(page, "%u\n", val);
}

static ssize_t store_u32(struct config_item *item, u32 *field, const char *page, size_t len,
			 u32 min, u32 max)
{
	struct sim_paper *p = &to_board(item)->paper;
	u32 val;
	int ret;

	ret = kstrtou32(page, 0, &val);
	if (ret)
		return ret;
	if (val < min || val > max)
		return -ERANGE;
	mutex_lock(&p->lock);
	WRITE_ONCE(*field, val);
	sim_paper_update(p);
	mutex_unlock(&p->lock);
	return len;
}

#define SIM_NUMBER(_name, _field, _min, _max)						\
static u32 *_name##_of(struct config_item *item)					\
{											\
	return &to_board(item)->paper._field;						\
}											\
static ssize_t sim_##_name##_show(struct config_item *item, char *page)		\
{											\
	return show_u32(item, _name##_of(item), page);				\
}											\
static ssize_t sim_##_name##_store(struct config_item *item, const char *page,	\
				   size_t len)						\
{											\
	return store_u32(item, _name##_of(item), page, len, _min, _max);		\
}											\
CONFIGFS_ATTR(sim_, _name)

SIM_NUMBER(feeder_xres, feeder_xres, FAXB_RES_MIN, FAXB_RES_MAX);
SIM_NUMBER(feeder_yres, feeder_yres, FAXB_RES_MIN, FAXB_RES_MAX);
SIM_NUMBER(paper, paper, 0, 1000000);
SIM_NUMBER(cover, cover, 0, 1);
SIM_NUMBER(jam, jam, 0, BIT(FAXB_Q_SCAN) | BIT(FAXB_Q_PRINT));
SIM_NUMBER(jam_scan_at, jam_at[FAXB_Q_SCAN], 0, U32_MAX);
SIM_NUMBER(jam_print_at, jam_at[FAXB_Q_PRINT], 0, U32_MAX);
SIM_NUMBER(rows_per_second, rows_per_second, 0, 1000000);

static ssize_t sim_feeder_count_show(struct config_item *item, char *page)
{
	return show_u32(item, &to_board(item)->paper.feeder_count, page);
}
CONFIGFS_ATTR_RO(sim_, feeder_count);

static ssize_t sim_tray_count_show(struct config_item *item, char *page)
{
	return show_u32(item, &to_board(item)->paper.tray_count, page);
}
CONFIGFS_ATTR_RO(sim_, tray_count);

/* What became of the last images put in: configfs loses the error of a close. */
static ssize_t sim_feeder_error_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", READ_ONCE(to_board(item)->feeder_error));
}
CONFIGFS_ATTR_RO(sim_, feeder_error);

static ssize_t sim_feeder_clear_store(struct config_item *item, const char *page, size_t len)
{
	sim_feeder_clear(&to_board(item)->paper);
	return len;
}
CONFIGFS_ATTR_WO(sim_, feeder_clear);

static ssize_t sim_tray_clear_store(struct config_item *item, const char *page, size_t len)
{
	sim_tray_clear(&to_board(item)->paper);
	return len;
}
CONFIGFS_ATTR_WO(sim_, tray_clear);

static struct configfs_attribute *sim_attrs[] = {
	&sim_attr_live,
	&sim_attr_suspend,
	&sim_attr_serial,
	&sim_attr_feeder_xres,
	&sim_attr_feeder_yres,
	&sim_attr_feeder_count,
	&sim_attr_feeder_error,
	&sim_attr_feeder_clear,
	&sim_attr_tray_count,
	&sim_attr_tray_clear,
	&sim_attr_paper,
	&sim_attr_cover,
	&sim_attr_jam,
	&sim_attr_jam_scan_at,
	&sim_attr_jam_print_at,
	&sim_attr_rows_per_second,
	NULL
};

/* Called once, when the file is closed, with all that was written. */
static ssize_t sim_feeder_write(struct config_item *item, const void *data, size_t len)
{
	struct sim_board *sb = to_board(item);
	int ret = sim_feeder_add(&sb->paper, data, len);

	WRITE_ONCE(sb->feeder_error, ret);
	return ret ?: len;
}
CONFIGFS_BIN_ATTR_WO(sim_, feeder, NULL, SIM_FEEDER_BYTES);

/* Called twice: without a buffer for the size, then to fill it. */
static ssize_t sim_tray_read(struct config_item *item, void *data, size_t len)
{
	return sim_tray_copy(&to_board(item)->paper, data, len);
}
CONFIGFS_BIN_ATTR_RO(sim_, tray, NULL, 2 * SIM_TRAY_BYTES);

static struct configfs_bin_attribute *sim_bin_attrs[] = {
	&sim_attr_feeder,
	&sim_attr_tray,
	NULL
};

static void sim_board_release(struct config_item *item)
{
	struct sim_board *sb = to_board(item);

	sim_paper_exit(&sb->paper);
	mutex_destroy(&sb->live_lock);
	kfree(sb);
}

static struct configfs_item_operations sim_board_ops = {
	.release = sim_board_release,
};

static const struct config_item_type sim_board_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &sim_board_ops,
	.ct_attrs = sim_attrs,
	.ct_bin_attrs = sim_bin_attrs,
};

static struct sim_board *board_alloc(const char *name)
{
	struct sim_board *sb = kzalloc(sizeof(*sb), GFP_KERNEL);

	if (!sb)
		return NULL;
	mutex_init(&sb->live_lock);
	sim_paper_init(&sb->paper);
	strscpy(sb->serial, name, sizeof(sb->serial));
	config_group_init_type_name(&sb->group, name, &sim_board_type);
	return sb;
}

static struct config_group *sim_make_group(struct config_group *group, const char *name)
{
	struct sim_board *sb = board_alloc(name);

	return sb ? &sb->group : ERR_PTR(-ENOMEM);
}

static void sim_drop_item(struct config_group *group, struct config_item *item)
{
	set_live(to_board(item), false);
	config_item_put(item);
}

static struct configfs_group_operations sim_group_ops = {
	.make_group = sim_make_group,
	.drop_item = sim_drop_item,
};

static const struct config_item_type sim_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &sim_group_ops,
};

static struct configfs_subsystem sim_subsystem = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "faxsim",
			.ci_type = &sim_type,
		},
	},
};

static int add_module_board(unsigned int i)
{
	struct sim_board *sb;
	char name[16];
	int ret;

	snprintf(name, sizeof(name), "sim%u", i);
	sb = board_alloc(name);
	if (!sb)
		return -ENOMEM;
	ret = configfs_register_group(&sim_subsystem.su_group, &sb->group);
	if (ret) {
		config_item_put(&sb->group.cg_item);
		return ret;
	}
	module_boards[i] = sb;
	return set_live(sb, true);
}

static void remove_module_boards(void)
{
	unsigned int i;

	for (i = 0; i < SIM_BOARDS && module_boards[i]; i++) {
		/* the directory first: nobody plugs it in again */
		configfs_unregister_group(&module_boards[i]->group);
		set_live(module_boards[i], false);
		config_item_put(&module_boards[i]->group.cg_item);
		module_boards[i] = NULL;
	}
}

int sim_configfs_init(unsigned int boards)
{
	unsigned int i;
	int ret;

	config_group_init(&sim_subsystem.su_group);
	mutex_init(&sim_subsystem.su_mutex);
	ret = configfs_register_subsystem(&sim_subsystem);
	if (ret)
		return ret;
	for (i = 0; i < boards; i++) {
		ret = add_module_board(i);
		if (ret) {
			sim_configfs_exit();
			return ret;
		}
	}
	return 0;
}

void sim_configfs_exit(void)
{
	remove_module_boards();
	configfs_unregister_subsystem(&sim_subsystem);
}
