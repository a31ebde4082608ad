/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <libudev.h>

#include "base/cleanup.h"
#include "device/monitor.h"

#define SUBSYSTEM "fax"

struct monitor {
	struct udev *udev;
	struct udev_monitor *netlink;
	sd_event_source *source;
	struct boards *boards;
	monitor_trouble_fn trouble;
	void *userdata;
};

static void add_device(struct monitor *m, struct udev_device *dev)
{
	const char *node = udev_device_get_devnode(dev);
	struct error e = {};
	int r;

	if (!node)
		return;
	r = boards_node_added(m->boards, node, &e);
	/* ENXIO, ENODEV, ENOENT: it went again before we came, and that is told, too. */
	if (r < 0 && r != -ENODEV && r != -ENXIO && r != -ENOENT)
		m->trouble(m->userdata, &e);
}

static void handle_device(struct monitor *m, struct udev_device *dev)
{
	const char *action = udev_device_get_action(dev);
	const char *node = udev_device_get_devnode(dev);

	if (!action || !node)
		return;
	if (!strcmp(action, "remove"))
		boards_node_removed(m->boards, node);
	else	/* "add", and "bind", "change" of a node that we may have missed */
		add_device(m, dev);
}

static int on_netlink(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct monitor *m = userdata;
	struct udev_device *dev = udev_monitor_receive_device(m->netlink);

	if (!dev)
		return 0;
	handle_device(m, dev);
	udev_device_unref(dev);
	return 0;
}

static int enumerate(struct monitor *m)
{
	struct udev_enumerate *list = udev_enumerate_new(m->udev);
	struct udev_list_entry *entry;
	int r;

	if (!list)
		return -ENOMEM;
	r = udev_enumerate_add_match_subsystem(list, SUBSYSTEM);
	if (r >= 0)
		r = udev_enumerate_add_match_is_initialized(list);
	if (r >= 0)
		r = udev_enumerate_scan_devices(list);
	if (r < 0)
		goto out;
	udev_list_entry_foreach(entry, udev_enumerate_get_list_entry(list)) {
		struct udev_device *dev = udev_device_new_from_syspath(
			m->udev, udev_list_entry_get_name(entry));

		if (!dev)
			continue;
		add_device(m, dev);
		udev_device_unref(dev);
	}
out:
	udev_enumerate_unref(list);
	return r;
}

static int listen_to_udev(struct monitor *m, sd_event *event)
{
	int r;

	m->udev = udev_new();
	if (!m->udev)
		return -ENOMEM;
	m->netlink = udev_monitor_new_from_netlink(m->udev, "udev");
	if (!m->netlink)
		return -ENOMEM;
	r = udev_monitor_filter_add_match_subsystem_devtype(m->netlink, SUBSYSTEM, NULL);
	if (r >= 0)
		r = udev_monitor_enable_receiving(m->netlink);
	if (r < 0)
		return r;
	return sd_event_add_io(event, &m->source, udev_monitor_get_fd(m->netlink), EPOLLIN,
			       on_netlink, m);
}

int monitor_new(struct monitor **ret, sd_event *event, struct boards *boards,
		monitor_trouble_fn trouble, void *userdata, struct error *e)
{
	struct monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return error_set(e, -ENOMEM, "Out of memory.");
	m->boards = boards;
	m->trouble = trouble;
	m->userdata = userdata;
	r = listen_to_udev(m, event);
	if (r >= 0)
		r = enumerate(m);
	if (r < 0) {
		monitor_free(m);
		return error_set(e, r, "Cannot watch for boards through udev: %s.", strerror(-r));
	}
	*ret = m;
	return 0;
}

void monitor_free(struct monitor *m)
{
	if (!m)
		return;
	sd_event_source_disable_unref(m->source);
	if (m->netlink)
		udev_monitor_unref(m->netlink);
	if (m->udev)
		udev_unref(m->udev);
	free(m);
}
