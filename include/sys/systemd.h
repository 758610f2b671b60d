/* What systemd wants to hear from a service of Type=notify; nothing elsewhere. */
#ifndef SYS_SYSTEMD_H
#define SYS_SYSTEMD_H

/* As sd_notify(3): "READY=1", "STATUS=…". */
void systemd_tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
