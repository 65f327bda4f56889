/* 0.1 to 1.0: only functions differ. */

