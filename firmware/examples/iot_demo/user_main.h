#ifndef EXAMPLE_USER_MAIN_H
#define EXAMPLE_USER_MAIN_H

/** The cloud orders an upgrade: begins it. The end of it is reported to the cloud. */
void user_upgrade(const char *version);
/** The cloud orders a restart. */
void user_reboot(void);

#endif
