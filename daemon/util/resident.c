/* SPDX-License-Identifier: MIT */
#include "daemon/util/resident.h"

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/util/checked.h"

/* The linker has written where nothing else may: these pages are not those of the file any more. */
static bool text_relocated(const struct dl_phdr_info *object)
{
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];

		if (p->p_type != PT_DYNAMIC)
			continue;
		for (const ElfW(Dyn) *d = (const void *)(object->dlpi_addr + p->p_vaddr);
		     d->d_tag != DT_NULL; d++)
			if (d->d_tag == DT_TEXTREL ||
			    (d->d_tag == DT_FLAGS && (d->d_un.d_val & DF_TEXTREL)))
				return true;
	}
	return false;
}

static int forget_object(struct dl_phdr_info *object, size_t size, void *arg)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	/* The kernel's own object is no file. */
	if (strncmp(object->dlpi_name, "linux-vdso", 10) == 0 || text_relocated(object))
		return 0;
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		uint64_t start = round_up_u64(object->dlpi_addr + p->p_vaddr, page);
		uint64_t end = round_down_u64(object->dlpi_addr + p->p_vaddr + p->p_memsz, page);

		/* What is read-only after relocation is a part of a segment that is not. */
		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && start < end)
			madvise((void *)(uintptr_t)start, end - start, MADV_DONTNEED);
	}
	return 0;
}

void resident_forget_start(void)
{
	dl_iterate_phdr(forget_object, NULL);
}
