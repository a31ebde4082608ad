/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the process of a rule and the one that runs the rules. */
#ifndef REPORT_H
#define REPORT_H

enum outcome { DIED, PASSED, FAILED, SKIPPED };

struct verdict {
	enum outcome outcome;
	char why[400];
};

extern struct verdict *verdict;

#endif
