// SPDX-License-Identifier: GPL-2.0
/*
 * The simulated board's view of memory: bus addresses are made up, above 4 GiB
 * and with gaps, and lead to pages only while they are mapped, within the
 * length and for the direction that the driver gave.
 */
#include <linux/dma-map-ops.h>
#include <linux/highmem.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <fax/compat.h>
#include "sim.h"

#define FIRST_ADDR	BIT_ULL(32)

struct sim_window {
	struct rb_node node;
	u64 addr;
	size_t len;
	struct page *page;
	u32 offset;		/* of the first byte in @page */
	enum dma_data_direction dir;
};

void sim_dma_init(struct sim_dma *dma)
{
	spin_lock_init(&dma->lock);
	dma->windows = RB_ROOT;
	dma->next = FIRST_ADDR;
}

/* The driver has parted: a window that is still open is its leak. */
void sim_dma_exit(struct sim_dma *dma, struct device *dev)
{
	struct sim_window *w, *next;

	if (dma->count)
		dev_err(dev, "%u DMA mappings were left behind\n", dma->count);
	rbtree_postorder_for_each_entry_safe(w, next, &dma->windows, node)
		kfree(w);
	dma->windows = RB_ROOT;
	dma->count = 0;
}

/* Addresses only grow, so a new window is always the last. */
static void insert(struct sim_dma *dma, struct sim_window *w)
{
	struct rb_node **link = &dma->windows.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = &parent->rb_right;
	}
	rb_link_node(&w->node, parent, link);
	rb_insert_color(&w->node, &dma->windows);
	dma->count++;
}

static struct sim_window *find(struct sim_dma *dma, u64 addr)
{
	struct rb_node *n = dma->windows.rb_node;

	while (n) {
		struct sim_window *w = rb_entry(n, struct sim_window, node);

		if (addr < w->addr)
			n = n->rb_left;
		else if (addr - w->addr >= w->len)
			n = n->rb_right;
		else
			return w;
	}
	return NULL;
}

/* What has no pages, another device's registers, this hardware does not reach. */
static dma_addr_t open_window(struct device *dev, phys_addr_t phys, size_t len,
			      enum dma_data_direction dir)
{
	struct sim_dma *dma = &sim_hw_of(dev)->dma;
	struct sim_window *w;
	unsigned long flags;

	if (!pfn_valid(PHYS_PFN(phys)))
		return DMA_MAPPING_ERROR;
	w = kzalloc(sizeof(*w), GFP_ATOMIC);
	if (!w)
		return DMA_MAPPING_ERROR;
	w->page = pfn_to_page(PHYS_PFN(phys));
	w->offset = offset_in_page(phys);
	w->len = len;
	w->dir = dir;
	spin_lock_irqsave(&dma->lock, flags);
	w->addr = dma->next + w->offset;
	/* at least a page between windows belongs to nobody */
	dma->next += PAGE_ALIGN((u64)w->offset + len) + PAGE_SIZE;
	insert(dma, w);
	spin_unlock_irqrestore(&dma->lock, flags);
	return w->addr;
}

/* Whoever copies does so under the lock: behind this call the pages are not touched. */
static void close_window(struct device *dev, dma_addr_t addr, size_t len)
{
	struct sim_dma *dma = &sim_hw_of(dev)->dma;
	struct sim_window *w;
	unsigned long flags;

	spin_lock_irqsave(&dma->lock, flags);
	w = find(dma, addr);
	if (w && w->addr == addr && w->len == len) {
		rb_erase(&w->node, &dma->windows);
		dma->count--;
	} else {
		w = NULL;
	}
	spin_unlock_irqrestore(&dma->lock, flags);
	dev_WARN_ONCE(dev, !w, "unmapping %pad, %zu bytes, which was not mapped so\n", &addr, len);
	kfree(w);
}

static bool allowed(const struct sim_window *w, bool write)
{
	return w->dir == DMA_BIDIRECTIONAL ||
	       w->dir == (write ? DMA_FROM_DEVICE : DMA_TO_DEVICE);
}

/* Up to the end of a page; returns how much, 0 for an address that is not open for this. */
static u32 copy_some(struct sim_dma *dma, u64 addr, void *buf, u32 len, bool write)
{
	struct sim_window *w;
	struct page *page;
	unsigned long flags;
	u64 at;

	spin_lock_irqsave(&dma->lock, flags);
	w = find(dma, addr);
	if (w && allowed(w, write)) {
		at = w->offset + (addr - w->addr);
		len = min_t(u64, len, w->len - (addr - w->addr));
		len = min_t(u64, len, PAGE_SIZE - offset_in_page(at));
		page = w->page + (at >> PAGE_SHIFT);
		if (write)
			memcpy_to_page(page, offset_in_page(at), buf, len);
		else
			memcpy_from_page(buf, page, offset_in_page(at), len);
	} else {
		dma->errors++;
		len = 0;
	}
	spin_unlock_irqrestore(&dma->lock, flags);
	return len;
}

/* DMA: @write to memory, or from there. */
int sim_dma_copy(struct sim_dma *dma, u64 addr, void *buf, u32 len, bool write)
{
	u32 n;

	for (; len; len -= n, addr += n, buf += n) {
		n = copy_some(dma, addr, buf, len, write);
		if (!n)
			return -EFAULT;
	}
	return 0;
}

static void *sim_alloc(struct device *dev, size_t size, dma_addr_t *addr, gfp_t gfp,
		       unsigned long attrs)
{
	void *cpu;

	size = PAGE_ALIGN(size);
	cpu = alloc_pages_exact(size, gfp | __GFP_ZERO);
	if (!cpu)
		return NULL;
	*addr = open_window(dev, virt_to_phys(cpu), size, DMA_BIDIRECTIONAL);
	if (*addr == DMA_MAPPING_ERROR) {
		free_pages_exact(cpu, size);
		return NULL;
	}
	return cpu;
}

static void sim_free(struct device *dev, size_t size, void *cpu, dma_addr_t addr,
		     unsigned long attrs)
{
	size = PAGE_ALIGN(size);
	close_window(dev, addr, size);
	free_pages_exact(cpu, size);
}

static dma_addr_t sim_map(struct device *dev, FAX_DMA_PLACE, size_t size,
			  enum dma_data_direction dir, unsigned long attrs)
{
	return open_window(dev, FAX_DMA_PHYS, size, dir);
}

static void sim_unmap(struct device *dev, dma_addr_t addr, size_t size,
		      enum dma_data_direction dir, unsigned long attrs)
{
	close_window(dev, addr, size);
}

static void sim_unmap_sg(struct device *dev, struct scatterlist *sgl, int nents,
			 enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	int i;

	for_each_sg(sgl, sg, nents, i)
		close_window(dev, sg_dma_address(sg), sg_dma_len(sg));
}

static int sim_map_sg(struct device *dev, struct scatterlist *sgl, int nents,
		      enum dma_data_direction dir, unsigned long attrs)
{
	struct scatterlist *sg;
	dma_addr_t addr;
	int i;

	for_each_sg(sgl, sg, nents, i) {
		addr = open_window(dev, sg_phys(sg), sg->length, dir);
		if (addr == DMA_MAPPING_ERROR) {
			sim_unmap_sg(dev, sgl, i, dir, attrs);
			return -ENOMEM;
		}
		sg_dma_address(sg) = addr;
		sg_dma_len(sg) = sg->length;
	}
	return nents;
}

const struct dma_map_ops sim_dma_ops = {
	.alloc = sim_alloc,
	.free = sim_free,
	.FAX_DMA_MAP = sim_map,
	.FAX_DMA_UNMAP = sim_unmap,
	.map_sg = sim_map_sg,
	.unmap_sg = sim_unmap_sg,
};
