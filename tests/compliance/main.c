// SPDX-License-Identifier: LGPL-2.1-or-later
/* fax-compliance: options, and which board. */
#include <dirent.h>
#include <getopt.h>

#include "compliance.h"

struct here here;

static const struct rules *const all[] = {
	&rules_ioctl, &rules_info, &rules_format, &rules_buffer, &rules_submit, &rules_code,
	&rules_job, &rules_pipe, &rules_paper, &rules_claim, &rules_stream, &rules_many,
	&rules_fault,
};

static const char usage[] =
	"usage: fax-compliance [OPTION...] [NODE...]\n"
	"Tries a fax board against the contract of linux/fax.h, rule by rule.\n"
	"\n"
	"  NODE...            /dev/faxscanN, /dev/faxprintN, /dev/faxcodecN of one board;\n"
	"                     none: those of the first board\n"
	"  --board SERIAL     the board with this serial number\n"
	"  --no-errors        without what needs fault knobs or the handling of paper\n"
	"  --operator         someone stands at the board and does what is asked\n"
	"  --page FILE        a PBM image (P4) to code as well; may be given again\n"
	"  --rule TEXT        only rules whose line has this text\n"
	"  --list             the rules, and end\n";

static bool take_nodes(char **paths, int n)
{
	uint64_t board = 0;
	struct node node;
	int i, ret;

	for (i = 0; i < n; i++) {
		ret = probe_node(paths[i], &node);
		if (ret) {
			fprintf(stderr, "fax-compliance: %s: %s\n", paths[i], strerror(-ret));
			return false;
		}
		if (board && node.info.board_id != board) {
			fprintf(stderr, "fax-compliance: %s is of another board\n", paths[i]);
			return false;
		}
		board = node.info.board_id;
		here.nodes[node.info.function] = node;
	}
	return true;
}

static const struct fax_info *info(void)
{
	uint32_t f;

	for (f = FAX_FUNC_SCAN; f < FAX_FUNC_CODEC && !here.nodes[f].path[0]; f++)
		;
	return &here.nodes[f].info;
}

/* The simulator's directories are named as its user likes; the serial tells which is ours. */
static void find_simulator(void)
{
	static const char top[] = "/sys/kernel/config/faxsim";
	DIR *dir = opendir(top);
	const struct dirent *entry;
	char path[sizeof(top) + 300], serial[40];
	FILE *file;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s/serial", top, entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(serial, sizeof(serial), file)) {
			serial[strcspn(serial, "\n")] = 0;
			if (!strcmp(serial, (const char *)info()->serial)) {
				snprintf(here.knobs, sizeof(here.knobs), "%s/%.64s", top,
					 entry->d_name);
				snprintf(here.faults, sizeof(here.faults),
					 "/sys/kernel/debug/faxsim/%.64s", entry->d_name);
			}
		}
		fclose(file);
	}
	if (dir)
		closedir(dir);
	if (access(here.faults, X_OK))
		here.faults[0] = 0;
}

static void introduce(void)
{
	uint32_t f;

	printf("# %s, serial \"%s\", driver %s\n", info()->board, info()->serial, info()->driver);
	for (f = FAX_FUNC_SCAN; f <= FAX_FUNC_CODEC; f++)
		if (here.nodes[f].path[0])
			printf("# %s: %s\n", function_name(f), here.nodes[f].path);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "board", required_argument, NULL, 'b' }, { "no-errors", no_argument, NULL, 'n' },
		{ "operator", no_argument, NULL, 'o' }, { "page", required_argument, NULL, 'p' },
		{ "rule", required_argument, NULL, 'r' }, { "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' }, {},
	};
	const char *serial = NULL, *only = NULL;
	bool errors = true, list = false;
	struct count count = {};
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'b': serial = optarg; break;
		case 'n': errors = false; break;
		case 'o': here.operator = true; break;
		case 'r': only = optarg; break;
		case 'l': list = true; break;
		case 'p':
			if (npage_files < ARRAY_SIZE(page_files))
				page_files[npage_files++] = optarg;
			break;
		case 'h': fputs(usage, stdout); return 0;
		default: fputs(usage, stderr); return 2;
		}
	}
	if (list) {
		for (i = 0; i < ARRAY_SIZE(all); i++)
			list_rules(all[i]);
		return 0;
	}
	if (optind < argc ? !take_nodes(argv + optind, argc - optind) : !find_board(serial)) {
		fprintf(stderr, "fax-compliance: no such board\n");
		return 2;
	}
	if (errors && !strcmp((const char *)info()->driver, "faxsim"))
		find_simulator();
	if (!errors)
		here.operator = false;
	introduce();
	for (i = 0; i < ARRAY_SIZE(all); i++)
		run_rules(all[i], only, &count);
	printf("1..%u\n# %u rules kept, %u broken, %u not tried\n",
	       count.passed + count.failed + count.skipped, count.passed, count.failed,
	       count.skipped);
	return count.failed != 0;
}
