/*
 * What a MySQL server keeps of a password for mysql_native_password: "*" and the SHA-1 of
 * its SHA-1 in hexadecimal, as mysql.user has it.
 */
#ifndef SYS_MYSQL_SECRET_H
#define SYS_MYSQL_SECRET_H

#define MYSQL_SECRET_SIZE 42

void mysql_secret(char out[MYSQL_SECRET_SIZE], const char *password);

#endif
