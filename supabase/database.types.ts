/**
 * Types of the catalog for `createClient<Database>()` of supabase-js: what the anonymous key may read. docs/clients.md has examples.
 * Generated from the migrations by `npm run types`, in the format of `supabase gen types`. Do not edit.
 */

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[];

export type Database = {
  public: {
    Tables: {
      app_branches: {
        Row: {
          appid: number;
          branch: string;
          build_id: string | null;
          built_at: string | null;
          description: string | null;
          password_required: boolean;
          updated_at: string | null;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          branch: string;
          build_id?: string | null;
          built_at?: string | null;
          description?: string | null;
          password_required?: boolean;
          updated_at?: string | null;
        };
        Update: {
          appid?: number;
          branch?: string;
          build_id?: string | null;
          built_at?: string | null;
          description?: string | null;
          password_required?: boolean;
          updated_at?: string | null;
        };
        Relationships: [
          {
            foreignKeyName: "app_branches_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
        ];
      };
      app_categories: {
        Row: {
          appid: number;
          category_id: number;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          category_id: number;
        };
        Update: {
          appid?: number;
          category_id?: number;
        };
        Relationships: [
          {
            foreignKeyName: "app_categories_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
          {
            foreignKeyName: "app_categories_category_id_fkey";
            columns: ["category_id"];
            isOneToOne: false;
            referencedRelation: "steam_categories";
            referencedColumns: ["category_id"];
          },
        ];
      };
      app_changes: {
        Row: {
          appid: number;
          change_number: number;
          detected_at: string;
          field: string;
          id: number;
          "new": Json | null;
          old: Json | null;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          change_number: number;
          detected_at?: string;
          field: string;
          id?: never;
          "new"?: Json | null;
          old?: Json | null;
        };
        Update: {
          appid?: number;
          change_number?: number;
          detected_at?: string;
          field?: string;
          id?: never;
          "new"?: Json | null;
          old?: Json | null;
        };
        Relationships: [];
      };
      app_depot_manifests: {
        Row: {
          appid: number;
          branch: string;
          depot_id: number;
          download_bytes: number | null;
          manifest_id: string;
          size_bytes: number | null;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          branch: string;
          depot_id: number;
          download_bytes?: number | null;
          manifest_id: string;
          size_bytes?: number | null;
        };
        Update: {
          appid?: number;
          branch?: string;
          depot_id?: number;
          download_bytes?: number | null;
          manifest_id?: string;
          size_bytes?: number | null;
        };
        Relationships: [
          {
            foreignKeyName: "app_depot_manifests_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
        ];
      };
      app_depots: {
        Row: {
          appid: number;
          depot_id: number;
          dlc_appid: number | null;
          from_appid: number | null;
          language: string | null;
          name: string | null;
          os_arch: string | null;
          os_list: string | null;
          shared_install: boolean;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          depot_id: number;
          dlc_appid?: number | null;
          from_appid?: number | null;
          language?: string | null;
          name?: string | null;
          os_arch?: string | null;
          os_list?: string | null;
          shared_install?: boolean;
        };
        Update: {
          appid?: number;
          depot_id?: number;
          dlc_appid?: number | null;
          from_appid?: number | null;
          language?: string | null;
          name?: string | null;
          os_arch?: string | null;
          os_list?: string | null;
          shared_install?: boolean;
        };
        Relationships: [
          {
            foreignKeyName: "app_depots_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
        ];
      };
      app_developers: {
        Row: {
          appid: number;
          developer_id: number;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          developer_id: number;
        };
        Update: {
          appid?: number;
          developer_id?: number;
        };
        Relationships: [
          {
            foreignKeyName: "app_developers_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
          {
            foreignKeyName: "app_developers_developer_id_fkey";
            columns: ["developer_id"];
            isOneToOne: false;
            referencedRelation: "developers";
            referencedColumns: ["id"];
          },
        ];
      };
      app_dlc: {
        Row: {
          appid: number;
          dlc_appid: number;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          dlc_appid: number;
        };
        Update: {
          appid?: number;
          dlc_appid?: number;
        };
        Relationships: [
          {
            foreignKeyName: "app_dlc_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
        ];
      };
      app_events: {
        Row: {
          appid: number;
          change_ids: number[];
          change_number: number;
          detected_at: string;
          event: string;
          id: number;
          "new": Json | null;
          old: Json | null;
          subject: string | null;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          change_ids: number[];
          change_number: number;
          detected_at: string;
          event: string;
          id: number;
          "new"?: Json | null;
          old?: Json | null;
          subject?: string | null;
        };
        Update: {
          appid?: number;
          change_ids?: number[];
          change_number?: number;
          detected_at?: string;
          event?: string;
          id?: number;
          "new"?: Json | null;
          old?: Json | null;
          subject?: string | null;
        };
        Relationships: [];
      };
      app_franchises: {
        Row: {
          appid: number;
          franchise_id: number;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          franchise_id: number;
        };
        Update: {
          appid?: number;
          franchise_id?: number;
        };
        Relationships: [
          {
            foreignKeyName: "app_franchises_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
          {
            foreignKeyName: "app_franchises_franchise_id_fkey";
            columns: ["franchise_id"];
            isOneToOne: false;
            referencedRelation: "franchises";
            referencedColumns: ["id"];
          },
        ];
      };
      app_genres: {
        Row: {
          appid: number;
          genre_id: number;
          is_primary: boolean;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          genre_id: number;
          is_primary?: boolean;
        };
        Update: {
          appid?: number;
          genre_id?: number;
          is_primary?: boolean;
        };
        Relationships: [
          {
            foreignKeyName: "app_genres_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
          {
            foreignKeyName: "app_genres_genre_id_fkey";
            columns: ["genre_id"];
            isOneToOne: false;
            referencedRelation: "steam_genres";
            referencedColumns: ["genre_id"];
          },
        ];
      };
      app_info: {
        Row: {
          appid: number;
          change_number: number;
          data: string;
          fetched_at: string;
          partial: boolean;
          sha1: string;
          size: number;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          change_number: number;
          data: string;
          fetched_at?: string;
          partial: boolean;
          sha1: string;
          size: number;
        };
        Update: {
          appid?: number;
          change_number?: number;
          data?: string;
          fetched_at?: string;
          partial?: boolean;
          sha1?: string;
          size?: number;
        };
        Relationships: [
          {
            foreignKeyName: "app_info_appid_fkey";
            columns: ["appid"];
            isOneToOne: true;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
        ];
      };
      app_publishers: {
        Row: {
          appid: number;
          publisher_id: number;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          publisher_id: number;
        };
        Update: {
          appid?: number;
          publisher_id?: number;
        };
        Relationships: [
          {
            foreignKeyName: "app_publishers_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
          {
            foreignKeyName: "app_publishers_publisher_id_fkey";
            columns: ["publisher_id"];
            isOneToOne: false;
            referencedRelation: "publishers";
            referencedColumns: ["id"];
          },
        ];
      };
      app_steam_deck: {
        Row: {
          appid: number;
          category: string;
          configuration: Json | null;
          frame_category: string | null;
          frame_tests: Json | null;
          machine_category: string | null;
          machine_tests: Json | null;
          steamos_category: string | null;
          steamos_tests: Json | null;
          test_timestamp: string | null;
          tested_build_id: string | null;
          tests: Json | null;
          updated_at: string;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          category: string;
          configuration?: Json | null;
          frame_category?: string | null;
          frame_tests?: Json | null;
          machine_category?: string | null;
          machine_tests?: Json | null;
          steamos_category?: string | null;
          steamos_tests?: Json | null;
          test_timestamp?: string | null;
          tested_build_id?: string | null;
          tests?: Json | null;
          updated_at?: string;
        };
        Update: {
          appid?: number;
          category?: string;
          configuration?: Json | null;
          frame_category?: string | null;
          frame_tests?: Json | null;
          machine_category?: string | null;
          machine_tests?: Json | null;
          steamos_category?: string | null;
          steamos_tests?: Json | null;
          test_timestamp?: string | null;
          tested_build_id?: string | null;
          tests?: Json | null;
          updated_at?: string;
        };
        Relationships: [
          {
            foreignKeyName: "app_steam_deck_appid_fkey";
            columns: ["appid"];
            isOneToOne: true;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
        ];
      };
      app_steam_tags: {
        Row: {
          appid: number;
          rank: number;
          tag_id: number;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          rank: number;
          tag_id: number;
        };
        Update: {
          appid?: number;
          rank?: number;
          tag_id?: number;
        };
        Relationships: [
          {
            foreignKeyName: "app_steam_tags_appid_fkey";
            columns: ["appid"];
            isOneToOne: false;
            referencedRelation: "apps";
            referencedColumns: ["appid"];
          },
          {
            foreignKeyName: "app_steam_tags_tag_id_fkey";
            columns: ["tag_id"];
            isOneToOne: false;
            referencedRelation: "steam_tags";
            referencedColumns: ["tag_id"];
          },
        ];
      };
      apps: {
        Row: {
          ai_content: string[] | null;
          app_state: string | null;
          appid: number;
          assets: Json | null;
          content_descriptors: Json | null;
          controller_support: string | null;
          created_at: string;
          current_build_id: string | null;
          family_sharing_excluded: boolean | null;
          has_workshop: boolean | null;
          homepage_url: string | null;
          install_dir: string | null;
          is_active: boolean;
          is_free: boolean | null;
          is_known: boolean;
          is_listed: boolean | null;
          labels: number[] | null;
          languages: Json | null;
          last_content_update: string | null;
          metacritic_score: number | null;
          metacritic_url: string | null;
          must_own_appid: number | null;
          name: string | null;
          name_localized: Json | null;
          original_release_date: string | null;
          os_arch: string | null;
          parent_appid: number | null;
          pics_review_percentage: number | null;
          pics_review_percentage_without_bombs: number | null;
          pics_review_score: number | null;
          pics_review_score_without_bombs: number | null;
          platforms: string | null;
          playtest_type: number | null;
          price_change_number: number | null;
          primary_genre_id: number | null;
          release_state: string | null;
          restricted_countries: string[] | null;
          search_text: string | null;
          sort_name: string | null;
          steam_release_date: string | null;
          store_asset_mtime: string | null;
          store_modified_at: string | null;
          type: string | null;
          updated_at: string;
          vr_support: string | null;
        };
        ComputedFields: never;
        Insert: {
          ai_content?: string[] | null;
          app_state?: string | null;
          appid: number;
          assets?: Json | null;
          content_descriptors?: Json | null;
          controller_support?: string | null;
          created_at?: string;
          current_build_id?: string | null;
          family_sharing_excluded?: boolean | null;
          has_workshop?: boolean | null;
          homepage_url?: string | null;
          install_dir?: string | null;
          is_active?: boolean;
          is_free?: boolean | null;
          is_known?: boolean;
          is_listed?: boolean | null;
          labels?: number[] | null;
          languages?: Json | null;
          last_content_update?: string | null;
          metacritic_score?: number | null;
          metacritic_url?: string | null;
          must_own_appid?: number | null;
          name?: string | null;
          name_localized?: Json | null;
          original_release_date?: string | null;
          os_arch?: string | null;
          parent_appid?: number | null;
          pics_review_percentage?: number | null;
          pics_review_percentage_without_bombs?: number | null;
          pics_review_score?: number | null;
          pics_review_score_without_bombs?: number | null;
          platforms?: string | null;
          playtest_type?: number | null;
          price_change_number?: number | null;
          primary_genre_id?: number | null;
          release_state?: string | null;
          restricted_countries?: string[] | null;
          search_text?: never;
          sort_name?: never;
          steam_release_date?: string | null;
          store_asset_mtime?: string | null;
          store_modified_at?: string | null;
          type?: string | null;
          updated_at?: string;
          vr_support?: string | null;
        };
        Update: {
          ai_content?: string[] | null;
          app_state?: string | null;
          appid?: number;
          assets?: Json | null;
          content_descriptors?: Json | null;
          controller_support?: string | null;
          created_at?: string;
          current_build_id?: string | null;
          family_sharing_excluded?: boolean | null;
          has_workshop?: boolean | null;
          homepage_url?: string | null;
          install_dir?: string | null;
          is_active?: boolean;
          is_free?: boolean | null;
          is_known?: boolean;
          is_listed?: boolean | null;
          labels?: number[] | null;
          languages?: Json | null;
          last_content_update?: string | null;
          metacritic_score?: number | null;
          metacritic_url?: string | null;
          must_own_appid?: number | null;
          name?: string | null;
          name_localized?: Json | null;
          original_release_date?: string | null;
          os_arch?: string | null;
          parent_appid?: number | null;
          pics_review_percentage?: number | null;
          pics_review_percentage_without_bombs?: number | null;
          pics_review_score?: number | null;
          pics_review_score_without_bombs?: number | null;
          platforms?: string | null;
          playtest_type?: number | null;
          price_change_number?: number | null;
          primary_genre_id?: number | null;
          release_state?: string | null;
          restricted_countries?: string[] | null;
          search_text?: never;
          sort_name?: never;
          steam_release_date?: string | null;
          store_asset_mtime?: string | null;
          store_modified_at?: string | null;
          type?: string | null;
          updated_at?: string;
          vr_support?: string | null;
        };
        Relationships: [];
      };
      developers: {
        Row: {
          id: number;
          name: string;
        };
        ComputedFields: never;
        Insert: {
          id?: number;
          name: string;
        };
        Update: {
          id?: number;
          name?: string;
        };
        Relationships: [];
      };
      franchises: {
        Row: {
          id: number;
          name: string;
        };
        ComputedFields: never;
        Insert: {
          id?: number;
          name: string;
        };
        Update: {
          id?: number;
          name?: string;
        };
        Relationships: [];
      };
      game_metadata: {
        Row: {
          appid: number;
          average_playtime_2weeks: number | null;
          average_playtime_forever: number | null;
          developer: string | null;
          fetch_attempts: number;
          fetch_status: Database["public"]["Enums"]["fetch_status"];
          fetched_at: string | null;
          genre: string | null;
          languages: string | null;
          last_error: string | null;
          last_listed_at: string | null;
          last_updated: string | null;
          negative_reviews: number | null;
          owners_doubtful: boolean | null;
          owners_estimate: string | null;
          positive_reviews: number | null;
          price: number | null;
          publisher: string | null;
          score_rank: number | null;
          tags_json: Json | null;
        };
        ComputedFields: never;
        Insert: {
          appid: number;
          average_playtime_2weeks?: number | null;
          average_playtime_forever?: number | null;
          developer?: string | null;
          fetch_attempts?: number;
          fetch_status?: Database["public"]["Enums"]["fetch_status"];
          fetched_at?: string | null;
          genre?: string | null;
          languages?: string | null;
          last_error?: string | null;
          last_listed_at?: string | null;
          last_updated?: string | null;
          negative_reviews?: number | null;
          owners_doubtful?: never;
          owners_estimate?: string | null;
          positive_reviews?: number | null;
          price?: number | null;
          publisher?: string | null;
          score_rank?: number | null;
          tags_json?: Json | null;
        };
        Update: {
          appid?: number;
          average_playtime_2weeks?: number | null;
          average_playtime_forever?: number | null;
          developer?: string | null;
          fetch_attempts?: number;
          fetch_status?: Database["public"]["Enums"]["fetch_status"];
          fetched_at?: string | null;
          genre?: string | null;
          languages?: string | null;
          last_error?: string | null;
          last_listed_at?: string | null;
          last_updated?: string | null;
          negative_reviews?: number | null;
          owners_doubtful?: never;
          owners_estimate?: string | null;
          positive_reviews?: number | null;
          price?: number | null;
          publisher?: string | null;
          score_rank?: number | null;
          tags_json?: Json | null;
        };
        Relationships: [];
      };
      publishers: {
        Row: {
          id: number;
          name: string;
        };
        ComputedFields: never;
        Insert: {
          id?: number;
          name: string;
        };
        Update: {
          id?: number;
          name?: string;
        };
        Relationships: [];
      };
      steam_categories: {
        Row: {
          category_id: number;
          description: string | null;
          name: string | null;
          named_at: string | null;
        };
        ComputedFields: never;
        Insert: {
          category_id: number;
          description?: string | null;
          name?: string | null;
          named_at?: string | null;
        };
        Update: {
          category_id?: number;
          description?: string | null;
          name?: string | null;
          named_at?: string | null;
        };
        Relationships: [];
      };
      steam_genres: {
        Row: {
          genre_id: number;
          name: string | null;
        };
        ComputedFields: never;
        Insert: {
          genre_id: number;
          name?: string | null;
        };
        Update: {
          genre_id?: number;
          name?: string | null;
        };
        Relationships: [];
      };
      steam_tags: {
        Row: {
          name: string | null;
          tag_id: number;
        };
        ComputedFields: never;
        Insert: {
          name?: string | null;
          tag_id: number;
        };
        Update: {
          name?: string | null;
          tag_id?: number;
        };
        Relationships: [];
      };
    };
    Views: {
      [_ in never]: never;
    };
    Functions: {
      [_ in never]: never;
    };
    Enums: {
      fetch_status: "pending" | "success" | "failed" | "not_found";
    };
    CompositeTypes: {
      [_ in never]: never;
    };
  };
};

type DatabaseWithoutInternals = Omit<Database, "__InternalSupabase">;

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">];

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R;
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
        Row: infer R;
      }
      ? R
      : never
    : never;

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"] | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I;
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Insert: infer I;
      }
      ? I
      : never
    : never;

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"] | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never,
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U;
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
    ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
        Update: infer U;
      }
      ? U
      : never
    : never;

export type Enums<
  DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"] | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never,
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
    ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
    : never;

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals;
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never,
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
    ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
    : never;

export const Constants = {
  public: {
    Enums: {
      fetch_status: ["pending", "success", "failed", "not_found"],
    },
  },
} as const;
