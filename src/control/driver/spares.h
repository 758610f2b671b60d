/*
 * Copies of the template that wait for a compute to be made of them: then a rename is all.
 *
 * They are made when nothing else is asked of the driver, by a job that gives way to
 * everybody.  Two control planes may share them: a rename decides who has one.
 */
#ifndef CONTROL_SPARES_H
#define CONTROL_SPARES_H

#include "template.h"

typedef struct Spares {
	Loop *loop;
	const Template *template;
	int wanted;
	char parent[PATH_SIZE], name[128]; /* each is PARENT/NAME-RANDOM */
	char partial[PATH_SIZE], log[PATH_SIZE];
	char mark[LIFE_SIZE + 8];
	Timer quiet;
	Process *job;
} Spares;

/* parent is a folder that is there; mark is for the name of what is not whole yet. */
void spares_init(Spares *s, const Template *template, int wanted, const char *parent,
		 const char *mark);

/* Somebody was busy: after a quiet moment it is time to see whether any are missing. */
void spares_soon(Spares *s);

/* For jobs: makes one of them a folder of that name; false if there is none. */
bool spares_take(const Spares *s, const char *folder);

/* For jobs: removes what was made of another template. */
void spares_sweep(const Spares *s);

/* For jobs: makes a folder of a data folder's copy, as spares_take() does. */
bool spares_make(const Template *template, const char *folder);

#endif
