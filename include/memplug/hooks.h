/* SPDX-License-Identifier: MIT */
/*
 * What happens when the library must stop, warn or speak. The default fatal
 * hook prints to standard error and aborts; the warn hook prints; the log hook
 * prints lines up to "warning". Hooks may be set at any time, also before
 * mp_boot(), and are called from whatever thread and with whatever locks held:
 * they must not call back into the library.
 */
#ifndef MEMPLUG_HOOKS_H
#define MEMPLUG_HOOKS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Something that stops or hangs Linux (FATAL, DEADLOCK in SPEC). May return: the call
 * that met it then fails with the errno its documentation names, or does nothing. */
typedef void (*mp_fatal_hook_t)(const char *text, void *arg);
/* What Linux reports as a WARNING. */
typedef void (*mp_warn_hook_t)(const char *text, void *arg);
/* `level` 0 (emergency) to 7 (debug); `text` has no newline. */
typedef void (*mp_log_hook_t)(int level, const char *text, void *arg);

/* NULL restores the default. */
void mp_set_fatal_hook(mp_fatal_hook_t hook, void *arg);
void mp_set_warn_hook(mp_warn_hook_t hook, void *arg);
void mp_set_log_hook(mp_log_hook_t hook, void *arg);
/* WARNs since the process began, whatever the hook did. */
unsigned long mp_warn_count(void);

#ifdef __cplusplus
}
#endif
#endif
