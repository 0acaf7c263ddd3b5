/** Stands for the copy of supabase/database.types.ts that an application has. */
export type * from "../../supabase/database.types.ts";
