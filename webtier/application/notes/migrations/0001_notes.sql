CREATE TABLE notes (
    id uuid PRIMARY KEY,
    text text NOT NULL CHECK (char_length(text) BETWEEN 1 AND 2000),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The order of the list, so that each of its pages is one range of the index.
CREATE INDEX notes_newest_first ON notes (created_at DESC, id DESC);
