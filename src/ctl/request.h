/* A command line becomes a request, and its answer what is printed. */
#ifndef CTL_REQUEST_H
#define CTL_REQUEST_H

#include <jansson.h>

#include "command.h"
#include "http.h"
#include "setup.h"

/* Asks and prints. False and *why if there was no answer or a refusal. */
bool request_run(const Call *call, const Setup *setup, Fault *why);

/* All of a list that the command asks for, or whatever else; *answer is a new reference. */
bool request_answer(const Call *call, const Setup *setup, json_t **answer, Fault *why);

/* What a GET of that path, below the control plane's URL, answers. */
bool request_get(const Setup *setup, const char *path, json_t **answer, Fault *why);

/* Puts into *why what a refusal says: application/problem+json, or whatever there is. False. */
bool request_refuse(const HttpAnswer *answer, Fault *why);

#endif
