//! Types of nodes, as `.sy` files name them (facts: SiYuan 3.7.3).

macro_rules! kinds {
    ($($name:ident)*) => {
        /// The type of a node: its name in the file without `Node` before it.
        #[allow(missing_docs, reason = "the names are those of the file format")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($name,)*
            /// A type that this version does not know.
            Unknown,
        }

        impl Kind {
            /// The type of that name.
            pub fn of(name: &str) -> Self {
                match name.strip_prefix("Node") {
                    $(Some(stringify!($name)) => Self::$name,)*
                    _ => Self::Unknown,
                }
            }
        }
    };
}

kinds! {
    Document Paragraph Heading Blockquote List ListItem CodeBlock MathBlock Table TableHead TableRow
    TableCell ThematicBreak HTMLBlock SuperBlock Callout BlockQueryEmbed AttributeView IFrame Video
    Audio Widget CustomBlock YamlFrontMatter ToC GitConflict FootnotesDefBlock FootnotesDef
    LinkRefDefBlock LinkRefDef
    BlockquoteMarker HeadingC8hMarker CodeBlockFenceOpenMarker CodeBlockFenceInfoMarker
    CodeBlockFenceCloseMarker CodeBlockCode MathBlockOpenMarker MathBlockContent
    MathBlockCloseMarker SuperBlockOpenMarker SuperBlockLayoutMarker SuperBlockCloseMarker
    BlockQueryEmbedScript OpenBrace CloseBrace TaskListItemMarker
    YamlFrontMatterOpenMarker YamlFrontMatterContent YamlFrontMatterCloseMarker
    GitConflictOpenMarker GitConflictContent GitConflictCloseMarker
    Text TextMark Image Bang OpenBracket LinkText CloseBracket OpenParen LinkDest LinkSpace
    LinkTitle CloseParen Br Backslash BackslashContent HTMLEntity Emoji EmojiUnicode EmojiImg
    EmojiAlias KramdownSpanIAL KramdownBlockIAL SoftBreak HardBreak InlineHTML FootnotesRef
    CodeSpan CodeSpanOpenMarker CodeSpanContent CodeSpanCloseMarker
    Tag TagOpenMarker TagCloseMarker
    InlineMath InlineMathOpenMarker InlineMathContent InlineMathCloseMarker
    Emphasis EmA6kOpenMarker EmA6kCloseMarker EmU8eOpenMarker EmU8eCloseMarker
    Strong StrongA6kOpenMarker StrongA6kCloseMarker StrongU8eOpenMarker StrongU8eCloseMarker
    Strikethrough Strikethrough1OpenMarker Strikethrough1CloseMarker Strikethrough2OpenMarker
    Strikethrough2CloseMarker
    Mark Mark1OpenMarker Mark1CloseMarker Mark2OpenMarker Mark2CloseMarker
    Underline UnderlineOpenMarker UnderlineCloseMarker
    Sub SubOpenMarker SubCloseMarker Sup SupOpenMarker SupCloseMarker
    Kbd KbdOpenMarker KbdCloseMarker
    Link LinkRefDefLabel
    BlockRef BlockRefID BlockRefSpace BlockRefText BlockRefDynamicText
    FileAnnotationRef FileAnnotationRefID FileAnnotationRefSpace FileAnnotationRefText
}

impl Kind {
    /// Whether it stands within a line of text.
    pub fn is_inline(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Text | TextMark
                | Image
                | Br
                | Backslash
                | HTMLEntity
                | Emoji
                | KramdownSpanIAL
                | SoftBreak
                | HardBreak
                | FootnotesRef
                | CodeSpan
                | Tag
                | InlineMath
                | Emphasis
                | Strong
                | Strikethrough
                | Mark
                | Underline
                | Sub
                | Sup
                | Kbd
                | Link
                | BlockRef
                | FileAnnotationRef
        )
    }

    /// Whether its text is only how it was typed: fences, brackets, markers.
    pub fn is_marker(self) -> bool {
        use Kind::*;
        matches!(
            self,
            BlockquoteMarker
                | HeadingC8hMarker
                | CodeBlockFenceOpenMarker
                | CodeBlockFenceInfoMarker
                | CodeBlockFenceCloseMarker
                | MathBlockOpenMarker
                | MathBlockCloseMarker
                | SuperBlockOpenMarker
                | SuperBlockLayoutMarker
                | SuperBlockCloseMarker
                | OpenBrace
                | CloseBrace
                | TaskListItemMarker
                | Bang
                | OpenBracket
                | CloseBracket
                | OpenParen
                | CloseParen
                | LinkSpace
                | KramdownSpanIAL
                | KramdownBlockIAL
        )
    }
}
