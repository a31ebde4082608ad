// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers. Every buffer is a dma-buf: BUF_ALLOC exports pages of our own,
 * BUF_MAP maps any dma-buf for the board.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "core.h"

/*
 * Accounting.
 */

struct fax_quota *fax_quota_alloc(void)
{
	struct fax_quota *quota = kzalloc(sizeof(*quota), GFP_KERNEL_ACCOUNT);

	if (quota)
		kref_init(&quota->kref);
	return quota;
}

static void fax_quota_free(struct kref *kref)
{
	kfree(container_of(kref, struct fax_quota, kref));
}

void fax_quota_put(struct fax_quota *quota)
{
	kref_put(&quota->kref, fax_quota_free);
}

int fax_quota_charge(struct fax_quota *quota, u64 bytes)
{
	if (bytes > FAX_MAX_MEMORY)
		return -EDQUOT;
	if (atomic64_add_return(bytes, &quota->bytes) <= FAX_MAX_MEMORY)
		return 0;
	atomic64_sub(bytes, &quota->bytes);
	return -EDQUOT;
}

void fax_quota_uncharge(struct fax_quota *quota, u64 bytes)
{
	atomic64_sub(bytes, &quota->bytes);
}

/*
 * Pages. Neighbours where they can be had, so that scatter lists stay short.
 */
#define FAX_PAGES_ORDER	4

void fax_pages_free(struct fax_pages *mem)
{
	unsigned int i;

	for (i = 0; i < mem->n; i++)
		__free_page(mem->pages[i]);
	kvfree(mem->pages);
	mem->pages = NULL;
	mem->n = 0;
}

static struct page *fax_pages_get(unsigned int *order)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO;
	struct page *page;

	for (; *order; (*order)--) {
		page = alloc_pages(gfp | __GFP_NOWARN | __GFP_NORETRY, *order);
		if (page) {
			split_page(page, *order);
			return page;
		}
	}
	return alloc_page(gfp);
}

/* Zeroed pages for @size bytes, a multiple of the page size. */
int fax_pages_alloc(struct fax_pages *mem, u64 size)
{
	unsigned int want = size >> PAGE_SHIFT;
	unsigned int order = FAX_PAGES_ORDER;
	struct page *page;
	unsigned int i;

	mem->n = 0;
	mem->pages = kvcalloc(want, sizeof(*mem->pages), GFP_KERNEL_ACCOUNT);
	if (!mem->pages)
		return -ENOMEM;
	while (mem->n < want) {
		while (order && BIT(order) > want - mem->n)
			order--;
		page = fax_pages_get(&order);
		if (!page || fatal_signal_pending(current)) {
			if (page)
				for (i = 0; i < BIT(order); i++)
					__free_page(page + i);
			fax_pages_free(mem);
			return page ? -EINTR : -ENOMEM;
		}
		for (i = 0; i < BIT(order); i++)
			mem->pages[mem->n++] = page + i;
		cond_resched();
	}
	return 0;
}

int fax_pages_sgt(const struct fax_pages *mem, struct sg_table *sgt, struct device *dev)
{
	return sg_alloc_table_from_pages_segment(sgt, mem->pages, mem->n, 0,
						 (unsigned long)mem->n << PAGE_SHIFT,
						 dma_get_max_seg_size(dev), GFP_KERNEL);
}

/*
 * A CPU gets at the pages: for another driver, or for a stream. The one place in
 * the core where they get an address, but for mmap.
 */
void *fax_pages_vmap(const struct fax_pages *mem, struct fax_board *board)
{
	void *vaddr;

	if (READ_ONCE(fax_refuse_cpu))
		return ERR_PTR(-EACCES);
	vaddr = vmap(mem->pages, mem->n, VM_MAP, PAGE_KERNEL);
	if (!vaddr)
		return ERR_PTR(-ENOMEM);
	atomic64_inc(&board->cpu_maps);
	return vaddr;
}

/*
 * Memory as the device sees it.
 */

int fax_map_init(struct fax_map *map, struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;
	u64 off = 0;

	map->n = sgt->nents;
	map->s = kvcalloc(map->n, sizeof(*map->s), GFP_KERNEL_ACCOUNT);
	if (!map->s)
		return -ENOMEM;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		map->s[i].addr = sg_dma_address(sg);
		map->s[i].len = sg_dma_len(sg);
		map->s[i].off = off;
		off += sg_dma_len(sg);
	}
	map->size = off;
	return 0;
}

void fax_map_free(struct fax_map *map)
{
	kvfree(map->s);
	memset(map, 0, sizeof(*map));
}

/* The stretch that holds byte @off, which lies inside the map. */
static u32 fax_map_find(const struct fax_map *map, u64 off)
{
	u32 lo = 0, hi = map->n - 1;

	while (lo < hi) {
		u32 mid = hi - (hi - lo) / 2;

		if (map->s[mid].off <= off)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

/**
 * fax_map_cut() - cut a piece for a chunk
 * @map: of the memory
 * @off: first byte
 * @len: bytes
 * @sg: stretches are put here
 * @max: at most so many
 * @n: so many they are
 *
 * Return: bytes covered: @len, or less if @max stretches did not reach.
 */
u32 fax_map_cut(const struct fax_map *map, u64 off, u32 len, struct fax_sg *sg, u32 max, u32 *n)
{
	u32 covered = 0;
	u32 i;

	*n = 0;
	if (!len || off >= map->size || len > map->size - off)
		return 0;
	for (i = fax_map_find(map, off); covered < len && *n < max && i < map->n; i++) {
		u32 skip = off + covered - map->s[i].off;
		u32 take = min(map->s[i].len - skip, len - covered);

		if (!take)
			continue;
		sg[*n].addr = map->s[i].addr + skip;
		sg[*n].len = take;
		covered += take;
		(*n)++;
	}
	return covered;
}

/*
 * Our exporter.
 */

/**
 * struct fax_mem - memory behind a dma-buf of ours
 * @mem: pages
 * @board: where CPU accesses are counted; memory only, it may have gone
 * @quota: charged with @size
 * @size: bytes
 * @lock: of @attaches
 * @attaches: devices it is attached to
 */
struct fax_mem {
	struct fax_pages mem;
	struct fax_board *board;
	struct fax_quota *quota;
	u64 size;
	struct mutex lock;	/* see above */
	struct list_head attaches;
};

struct fax_mem_attach {
	struct list_head node;
	struct device *dev;
	struct sg_table sgt;
	enum dma_data_direction dir;
	bool mapped;
};

static int fax_mem_attach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct fax_mem *mem = dmabuf->priv;
	struct fax_mem_attach *a;
	int ret;

	a = kzalloc(sizeof(*a), GFP_KERNEL);
	if (!a)
		return -ENOMEM;
	ret = fax_pages_sgt(&mem->mem, &a->sgt, attachment->dev);
	if (ret) {
		kfree(a);
		return ret;
	}
	a->dev = attachment->dev;
	attachment->priv = a;
	mutex_lock(&mem->lock);
	list_add(&a->node, &mem->attaches);
	mutex_unlock(&mem->lock);
	return 0;
}

static void fax_mem_detach(struct dma_buf *dmabuf, struct dma_buf_attachment *attachment)
{
	struct fax_mem_attach *a = attachment->priv;
	struct fax_mem *mem = dmabuf->priv;

	mutex_lock(&mem->lock);
	list_del(&a->node);
	mutex_unlock(&mem->lock);
	sg_free_table(&a->sgt);
	kfree(a);
}

static struct sg_table *fax_mem_map(struct dma_buf_attachment *attachment,
				    enum dma_data_direction dir)
{
	struct fax_mem *mem = attachment->dmabuf->priv;
	struct fax_mem_attach *a = attachment->priv;
	int ret;

	ret = dma_map_sgtable(a->dev, &a->sgt, dir, 0);
	if (ret)
		return ERR_PTR(ret);
	mutex_lock(&mem->lock);
	a->dir = dir;
	a->mapped = true;
	mutex_unlock(&mem->lock);
	return &a->sgt;
}

static void fax_mem_unmap(struct dma_buf_attachment *attachment, struct sg_table *sgt,
			  enum dma_data_direction dir)
{
	struct fax_mem *mem = attachment->dmabuf->priv;
	struct fax_mem_attach *a = attachment->priv;

	mutex_lock(&mem->lock);
	a->mapped = false;
	mutex_unlock(&mem->lock);
	dma_unmap_sgtable(a->dev, sgt, dir, 0);
}

static int fax_mem_begin_cpu(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct fax_mem *mem = dmabuf->priv;
	struct fax_mem_attach *a;

	if (READ_ONCE(fax_refuse_cpu))
		return -EACCES;
	atomic64_inc(&mem->board->cpu_accesses);
	mutex_lock(&mem->lock);
	list_for_each_entry(a, &mem->attaches, node)
		if (a->mapped)
			dma_sync_sgtable_for_cpu(a->dev, &a->sgt, a->dir);
	mutex_unlock(&mem->lock);
	return 0;
}

static int fax_mem_end_cpu(struct dma_buf *dmabuf, enum dma_data_direction dir)
{
	struct fax_mem *mem = dmabuf->priv;
	struct fax_mem_attach *a;

	mutex_lock(&mem->lock);
	list_for_each_entry(a, &mem->attaches, node)
		if (a->mapped)
			dma_sync_sgtable_for_device(a->dev, &a->sgt, a->dir);
	mutex_unlock(&mem->lock);
	return 0;
}

static int fax_mem_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct fax_mem *mem = dmabuf->priv;

	if (READ_ONCE(fax_refuse_cpu))
		return -EACCES;
	atomic64_inc(&mem->board->cpu_maps);
	fax_vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return vm_map_pages(vma, mem->mem.pages, mem->mem.n);
}

static int fax_mem_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct fax_mem *mem = dmabuf->priv;
	void *vaddr = fax_pages_vmap(&mem->mem, mem->board);

	if (IS_ERR(vaddr))
		return PTR_ERR(vaddr);
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void fax_mem_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	vunmap(map->vaddr);
}

static void fax_mem_free(struct fax_mem *mem)
{
	fax_pages_free(&mem->mem);
	fax_quota_uncharge(mem->quota, mem->size);
	fax_quota_put(mem->quota);
	fax_board_put(mem->board);
	kfree(mem);
}

static void fax_mem_release(struct dma_buf *dmabuf)
{
	fax_mem_free(dmabuf->priv);
}

static const struct dma_buf_ops fax_mem_ops = {
	.attach = fax_mem_attach,
	.detach = fax_mem_detach,
	.map_dma_buf = fax_mem_map,
	.unmap_dma_buf = fax_mem_unmap,
	.begin_cpu_access = fax_mem_begin_cpu,
	.end_cpu_access = fax_mem_end_cpu,
	.mmap = fax_mem_mmap,
	.vmap = fax_mem_vmap,
	.vunmap = fax_mem_vunmap,
	.release = fax_mem_release,
};

static struct fax_mem *fax_mem_alloc(struct fax_file *ff, u64 size)
{
	struct fax_mem *mem;
	int ret;

	ret = fax_quota_charge(ff->quota, size);
	if (ret)
		return ERR_PTR(ret);
	mem = kzalloc(sizeof(*mem), GFP_KERNEL_ACCOUNT);
	if (!mem) {
		fax_quota_uncharge(ff->quota, size);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&mem->lock);
	INIT_LIST_HEAD(&mem->attaches);
	mem->size = size;
	mem->quota = ff->quota;
	kref_get(&mem->quota->kref);
	mem->board = ff->board;
	fax_board_get(mem->board);
	ret = fax_pages_alloc(&mem->mem, size);
	if (ret) {
		fax_mem_free(mem);
		return ERR_PTR(ret);
	}
	return mem;
}

int fax_ioctl_buf_alloc(struct fax_file *ff, struct fax_ioctl *io)
{
	struct fax_buf_alloc *arg = &io->arg.buf_alloc;
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dma_buf *dmabuf;
	struct fax_mem *mem;
	int fd;

	if (!arg->size || arg->flags & ~O_CLOEXEC)
		return -EINVAL;
	if (arg->size > FAX_MAX_MEMORY)
		return -EDQUOT;
	arg->size = PAGE_ALIGN(arg->size);
	fd = get_unused_fd_flags(arg->flags);
	if (fd < 0)
		return fd;
	mem = fax_mem_alloc(ff, arg->size);
	if (IS_ERR(mem)) {
		put_unused_fd(fd);
		return PTR_ERR(mem);
	}
	info.ops = &fax_mem_ops;
	info.size = mem->size;
	info.flags = O_RDWR;
	info.priv = mem;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		fax_mem_free(mem);
		put_unused_fd(fd);
		return PTR_ERR(dmabuf);
	}
	arg->fd = fd;
	io->fd = fd;
	io->file = dmabuf->file;
	return 0;
}

/*
 * The importer.
 */

/* Give the mapping back, under the board's lock, with nothing in flight. */
void fax_import_unmap(struct fax_import *import)
{
	if (!import->sgt)
		return;
	list_del_init(&import->node);
	dma_buf_unmap_attachment_unlocked(import->attach, import->sgt, DMA_BIDIRECTIONAL);
	dma_buf_detach(import->dmabuf, import->attach);
	import->sgt = NULL;
	import->attach = NULL;
	fax_map_free(&import->map);
}

/* Under the board's lock. */
static void fax_import_put(struct fax_import *import)
{
	if (--import->users)
		return;
	fax_import_unmap(import);
	dma_buf_put(import->dmabuf);
	kfree(import);
}

/* Under the board's lock; no job uses it. */
void fax_buf_free(struct fax_buf *buf)
{
	fax_import_put(buf->import);
	fax_quota_uncharge(buf->quota, buf->charged);
	kfree(buf);
}

static int fax_import_map(struct fax_import *import, struct device *dev)
{
	int ret;

	import->attach = dma_buf_attach(import->dmabuf, dev);
	if (IS_ERR(import->attach))
		return PTR_ERR(import->attach);
	import->sgt = dma_buf_map_attachment_unlocked(import->attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(import->sgt)) {
		ret = PTR_ERR(import->sgt);
		goto out_detach;
	}
	ret = fax_map_init(&import->map, import->sgt);
	if (ret)
		goto out_unmap;
	return 0;

out_unmap:
	dma_buf_unmap_attachment_unlocked(import->attach, import->sgt, DMA_BIDIRECTIONAL);
out_detach:
	dma_buf_detach(import->dmabuf, import->attach);
	return ret;
}

static struct fax_import *fax_import_find(struct fax_board *board, struct dma_buf *dmabuf)
{
	struct fax_import *import, *found = NULL;

	mutex_lock(&board->lock);
	list_for_each_entry(import, &board->imports, node) {
		if (import->dmabuf == dmabuf) {
			import->users++;
			found = import;
			break;
		}
	}
	mutex_unlock(&board->lock);
	return found;
}

static struct fax_import *fax_import_new(struct fax_board *board, struct dma_buf *dmabuf)
{
	struct fax_import *import = kzalloc(sizeof(*import), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!import)
		return ERR_PTR(-ENOMEM);
	import->dmabuf = dmabuf;
	import->users = 1;
	ret = fax_import_map(import, board->dma_dev);
	if (ret) {
		kfree(import);
		return ERR_PTR(ret);
	}
	get_dma_buf(dmabuf);
	mutex_lock(&board->lock);
	list_add(&import->node, &board->imports);
	mutex_unlock(&board->lock);
	return import;
}

/* Inside the SRCU section that keeps the device. */
static struct fax_import *fax_import_get(struct fax_board *board, struct dma_buf *dmabuf)
{
	struct fax_import *import;

	mutex_lock(&board->map_lock);
	import = fax_import_find(board, dmabuf);
	if (!import)
		import = fax_import_new(board, dmabuf);
	mutex_unlock(&board->map_lock);
	return import;
}

/* Give it a handle. Under the board's lock. */
static int fax_buf_enter(struct fax_file *ff, struct fax_buf *buf, u32 *handle)
{
	int ret;

	if (ff->nbufs >= FAX_MAX_BUFS)
		return -EDQUOT;
	ret = xa_alloc_cyclic(&ff->bufs, handle, buf, XA_LIMIT(1, U32_MAX), &ff->next_buf,
			      GFP_KERNEL_ACCOUNT);
	if (ret < 0)
		return ret;
	ff->nbufs++;
	return 0;
}

static int fax_buf_map(struct fax_file *ff, struct fax_buf *buf, struct dma_buf *dmabuf,
		       struct fax_buf_map *arg)
{
	struct fax_board *board = ff->board;
	int ret;

	if (fax_gone(board))
		return -ENODEV;
	buf->import = fax_import_get(board, dmabuf);
	if (IS_ERR(buf->import))
		return PTR_ERR(buf->import);
	mutex_lock(&board->lock);
	arg->size = buf->import->map.size;
	ret = fax_buf_enter(ff, buf, &arg->buf);
	if (ret)
		fax_import_put(buf->import);
	mutex_unlock(&board->lock);
	return ret;
}

static struct fax_buf *fax_buf_new(struct fax_file *ff, const struct dma_buf *dmabuf)
{
	struct fax_buf *buf = kzalloc(sizeof(*buf), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!buf)
		return ERR_PTR(-ENOMEM);
	buf->quota = ff->quota;
	/* our own memory is charged to who allocated it, foreign memory we pin */
	if (dmabuf->ops != &fax_mem_ops)
		buf->charged = dmabuf->size;
	ret = fax_quota_charge(buf->quota, buf->charged);
	if (ret) {
		kfree(buf);
		return ERR_PTR(ret);
	}
	return buf;
}

int fax_ioctl_buf_map(struct fax_file *ff, struct fax_ioctl *io)
{
	struct fax_buf_map *arg = &io->arg.buf_map;
	struct dma_buf *dmabuf;
	struct fax_buf *buf;
	int ret, idx;

	ret = fax_may_move(ff);
	if (ret)
		return ret;
	dmabuf = dma_buf_get(arg->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	buf = fax_buf_new(ff, dmabuf);
	if (IS_ERR(buf)) {
		ret = PTR_ERR(buf);
		goto out;
	}
	idx = srcu_read_lock(&ff->board->srcu);
	ret = fax_buf_map(ff, buf, dmabuf, arg);
	srcu_read_unlock(&ff->board->srcu, idx);
	if (ret) {
		fax_quota_uncharge(buf->quota, buf->charged);
		kfree(buf);
	}
out:
	dma_buf_put(dmabuf);
	return ret;
}

int fax_ioctl_buf_unmap(struct fax_file *ff, struct fax_ioctl *io)
{
	u32 handle = io->arg.buf_unmap.buf;
	struct fax_buf *buf;
	int ret = 0;

	mutex_lock(&ff->board->lock);
	buf = xa_load(&ff->bufs, handle);
	if (!buf) {
		ret = -EINVAL;
	} else if (buf->users) {
		ret = -EBUSY;
	} else {
		xa_erase(&ff->bufs, handle);
		ff->nbufs--;
		fax_buf_free(buf);
	}
	mutex_unlock(&ff->board->lock);
	return ret;
}

/*
 * Wait until whoever filled (or, to @write, still reads) an imported buffer is
 * through with it. Bounded: a fence is another driver's promise. @left: jiffies
 * for all buffers of a call together; what was not used is handed back.
 */
int fax_buf_wait_fences(struct fax_file *ff, u32 handle, bool write, long *left)
{
	struct dma_buf *dmabuf = NULL;
	struct fax_buf *buf;
	long ret;

	mutex_lock(&ff->board->lock);
	buf = xa_load(&ff->bufs, handle);
	if (buf && buf->import->dmabuf->ops != &fax_mem_ops) {
		dmabuf = buf->import->dmabuf;
		get_dma_buf(dmabuf);
	}
	mutex_unlock(&ff->board->lock);
	if (!dmabuf)
		return 0;
	ret = dma_resv_wait_timeout(dmabuf->resv, dma_resv_usage_rw(write), true, *left);
	dma_buf_put(dmabuf);
	if (ret < 0)
		return ret;
	if (!ret)
		return -ETIMEDOUT;
	*left = ret;
	return 0;
}
