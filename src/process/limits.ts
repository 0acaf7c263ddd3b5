/** The largest value of a Postgres `integer`, and the longest delay of a Node timer in milliseconds: 2^31 − 1. */
export const int32Max = 2_147_483_647;
