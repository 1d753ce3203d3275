//! Any tree at all renders, without a panic and within bounds; and what each kind of node becomes.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tree::{NoteError, Tree};
use super::{LARGEST, Library, Nothing, render};

fn markdown_with(blocks: Value, library: &dyn Library) -> String {
    let note = json!({"ID": "20260101000000-aaaaaaa", "Spec": "2", "Type": "NodeDocument",
        "Properties": {"title": "T"}, "Children": blocks});
    let tree = Tree::parse(note.to_string().as_bytes()).unwrap();
    let text = render(tree, library).unwrap();
    text.strip_prefix("# T\n\n").unwrap_or_else(|| panic!("{text:?}")).to_owned()
}

fn markdown(blocks: Value) -> String {
    markdown_with(blocks, &Nothing)
}

fn line(nodes: Value) -> String {
    markdown(json!([{"Type": "NodeParagraph", "Children": nodes}]))
}

fn text(data: &str) -> Value {
    json!({"Type": "NodeText", "Data": data})
}

fn mark(types: &str, content: &str) -> Value {
    json!({"Type": "NodeTextMark", "TextMarkType": types, "TextMarkTextContent": content})
}

#[test]
fn marks_of_one_type() {
    for (types, content, wanted) in [
        ("strong", "a", "**a**\n"),
        ("em", "a &lt;b", "*a &lt;b*\n"),
        ("s", "a", "~~a~~\n"),
        ("mark", "a", "==a==\n"),
        ("u", "a", "<u>a</u>\n"),
        ("sup", "2", "<sup>2</sup>\n"),
        ("kbd", "/", "<kbd>/</kbd>\n"),
        ("tag", "t &amp;", "#t &amp;#\n"),
        ("code", "a &lt;b", "`a <b`\n"),
        ("code", "a`b", "`` a`b ``\n"),
        ("inline-memo", "a", "a\n"),
        ("future", "a", "a\n"),
        ("strong", "「a」", " **「a」**\n"),
    ] {
        assert_eq!(line(json!([mark(types, content)])), wanted, "{types} {content}");
    }
    let styled = json!([{"Type": "NodeTextMark", "TextMarkType": "text",
        "TextMarkTextContent": "red", "Properties": {"style": "color: red"}}]);
    assert_eq!(line(styled), "<span data-type=\"text\" style=\"color: red\">red</span>\n");
    let maths = json!([{"Type": "NodeTextMark", "TextMarkType": "inline-math",
        "TextMarkInlineMathContent": "a &lt; b_esc_newline_c"}]);
    assert_eq!(line(maths), "$a &lt; b c$\n");
    let link = json!([{"Type": "NodeTextMark", "TextMarkType": "a", "TextMarkTextContent": "[x]",
        "TextMarkAHref": "assets/a b.png", "TextMarkATitle": "&quot;t&quot;"}]);
    assert_eq!(line(link), "[\\[x\\]](assets/a%20b.png \"\"t\"\")\n");
}

#[test]
fn marks_of_several_types() {
    assert_eq!(line(json!([mark("strong em", "a")])), "***a***\n");
    assert_eq!(line(json!([mark("code strong", "a")])), "**\u{200b}`a`\u{200b}**\n");
    let link = json!([{"Type": "NodeTextMark", "TextMarkType": "strong a",
        "TextMarkTextContent": "a*b", "TextMarkAHref": "x"}]);
    assert_eq!(line(link), "**[a\\*b](x)**\n");
    assert_eq!(line(json!([mark("strong", "a"), mark("em", "b")])), "**a**\u{200b}*b*\n");
    assert_eq!(line(json!([mark("strong", "a!"), text(" b")])), "**a!**  b\n");
}

#[test]
fn blocks() {
    let code = |language: &str, code: &str| {
        json!([{"Type": "NodeCodeBlock", "IsFencedCodeBlock": true, "Children": [
            {"Type": "NodeCodeBlockFenceOpenMarker", "Data": "```"},
            {"Type": "NodeCodeBlockFenceInfoMarker", "CodeBlockInfo": language},
            {"Type": "NodeCodeBlockCode", "Data": code},
            {"Type": "NodeCodeBlockFenceCloseMarker", "Data": "```"}]}, {"Type": "NodeThematicBreak"}])
    };
    assert_eq!(markdown(code("cnVzdA==", "a &lt; b\n")), "```rust\na &lt; b\n```\n\n---\n");
    assert_eq!(markdown(code("bWVybWFpZA==", "a --&gt; b")), "```mermaid\na --> b\n```\n\n---\n");
    let maths = json!([{"Type": "NodeMathBlock", "Children": [
        {"Type": "NodeMathBlockContent", "Data": "\na &amp; b\n"}]}]);
    assert_eq!(markdown(maths), "$$\na & b\n$$\n");
    let callout = json!([{"Type": "NodeCallout", "CalloutType": "TIP", "CalloutTitle": "Mine",
        "CalloutIcon": "💡", "Children": [{"Type": "NodeParagraph", "Children": [text("a")]}]}]);
    assert_eq!(markdown(callout), "> [!TIP] 💡 Mine\n> a\n");
    let frame = json!([{"Type": "NodeIFrame", "Data": "<iframe src=\"//a.b\"></iframe>"}]);
    assert_eq!(markdown(frame), "<iframe src=\"https://a.b\"></iframe>\n");
    let custom = json!([{"Type": "NodeCustomBlock", "CustomBlockInfo": "x", "Data": "body"}]);
    assert_eq!(markdown(custom), ";;;x\nbody\n;;;\n");
    assert_eq!(markdown(json!([])), "\u{200d}\n");
}

#[test]
fn what_is_not_known_keeps_its_text() {
    let future = json!([{"Type": "NodeFuture", "Data": "words"},
        {"Type": "NodeFuture", "Children": [{"Type": "NodeParagraph", "Children": [text("inside")]}]}]);
    assert_eq!(markdown(future), "words\n\ninside\n");
    assert_eq!(line(json!([text("a "), {"Type": "NodeFuture", "Data": "b"}])), "a b\n");
    let gone = json!([{"Type": "NodeTextMark", "TextMarkType": "block-ref",
        "TextMarkBlockRefID": "20260101000000-zzzzzzz"}]);
    assert_eq!(line(gone), "block not found\n");
    let database = json!([{"Type": "NodeAttributeView", "AttributeViewID": "x"}]);
    assert_eq!(markdown(database), "{{database x}}\n");
}

#[test]
fn old_versions_are_flattened() {
    let old = json!([{"Type": "NodeStrong", "Children": [
        {"Type": "NodeStrongA6kOpenMarker", "Data": "**"}, text("a "),
        {"Type": "NodeEmphasis", "Children": [text("b")]},
        {"Type": "NodeStrongA6kCloseMarker", "Data": "**"}]},
        {"Type": "NodeLink", "Children": [{"Type": "NodeLinkText", "Data": "x"},
            {"Type": "NodeLinkText", "Data": "y"}, {"Type": "NodeLinkDest", "Data": "u"}]},
        {"Type": "NodeBlockRef", "Children": [{"Type": "NodeBlockRefID", "Data": "i"},
            {"Type": "NodeBlockRefText", "Data": "there"}]}]);
    assert_eq!(line(old), "**a **\u{200b}***b***\u{200b}[xy](u)\u{200b}there\n");
}

#[test]
fn tables_with_spans_are_html() {
    let cell = |words: &str, properties: Value| {
        json!({"Type": "NodeTableCell", "Data": "td", "Properties": properties,
            "Children": [text(words)]})
    };
    let table = json!([{"Type": "NodeTable", "Properties": {"id": "i", "colgroup": "|width: 5px;"},
        "Children": [
            {"Type": "NodeTableHead", "Children": [{"Type": "NodeTableRow", "Children": [
                cell("h", json!({"colspan": "2"})), cell("", json!({"class": "fn__none"}))]}]},
            {"Type": "NodeTableRow", "Children": [cell("a", json!({})), cell("b", json!({}))]}]}]);
    let wanted = "<table>\n<colgroup><col /><col style=\"width: 5px;\" /></colgroup><thead><tr>\n\
        <th colspan=\"2\">h</th>\n</tr>\n</thead><tbody>\n<tr>\n<td>a</td>\n<td>b</td>\n</tr>\n\
        </tbody>\n</table>\n";
    assert_eq!(markdown(table), wanted);
}

#[test]
fn ten_thousand_levels_render_on_a_small_stack() {
    for kind in [
        "NodeList",
        "NodeListItem",
        "NodeBlockquote",
        "NodeSuperBlock",
        "NodeCallout",
        "NodeStrong",
        "NodeFuture",
        "NodeTable",
        "NodeBackslash",
    ] {
        let deep = 10_000;
        let mut json = String::from(r#"{"ID":"a","Type":"NodeDocument","Children":["#);
        for _ in 0..deep {
            json += &format!(
                r#"{{"Type":"NodeText"}},{{"Type":"{kind}","ListData":{{"Marker":"Kg=="}},"Children":["#
            );
        }
        json += r#"{"Type":"NodeText","Data":"a\nb"}"#;
        json += &"]}".repeat(deep + 1);
        let tree = Tree::parse(json.as_bytes()).unwrap();
        // Half of what a thread of the mount has.
        let small = std::thread::Builder::new().stack_size(1 << 20);
        let rendered = small.spawn(move || render(tree, &Nothing)).unwrap().join().unwrap();
        // Quotations put a mark before each line of those in them, which is too much for some.
        let is_fine = matches!(rendered, Ok(_) | Err(NoteError::TooMuchMarkdown));
        assert!(is_fine, "{kind}");
    }
}

#[test]
fn what_would_grow_without_end_is_refused() {
    // Each level indents each line once more.
    let depth = 200;
    let mut json = String::from(r#"{"ID":"a","Type":"NodeDocument","Children":["#);
    for _ in 0..depth {
        json += r#"{"Type":"NodeList","Children":[{"Type":"NodeListItem","ListData":{"Marker":"Kg=="},"Children":["#;
    }
    let lines = "\\n".repeat(1_000_000).replace("\\n", "x\\n");
    json += &format!(
        r#"{{"Type":"NodeParagraph","Children":[{{"Type":"NodeText","Data":"{lines}"}}]}}"#
    );
    json += &"]}]}".repeat(depth);
    json += "]}";
    let tree = Tree::parse(json.as_bytes()).unwrap();
    assert_eq!(render(tree, &Nothing).unwrap_err(), NoteError::TooMuchMarkdown);
    assert!(Tree::parse(&vec![b'['; 100 << 20]).is_err());
}

/// A library whose every answer is the note itself, or nonsense.
struct Mirror(std::sync::Arc<Tree>);

impl Library for Mirror {
    fn note_of(&self, _: &str) -> Option<std::sync::Arc<Tree>> {
        Some(std::sync::Arc::clone(&self.0))
    }
    fn database(&self, id: &str) -> Option<std::sync::Arc<[u8]>> {
        Some(id.as_bytes().into())
    }
    fn asset(&self, _: &str) -> Option<std::sync::Arc<[u8]>> {
        Some(br#"{"a":{"pages":[{"index":18446744073709551615}]}}"#.to_vec().into())
    }
    fn link(&self, _: &str) -> Option<String> {
        Some("x".into())
    }
}

const KINDS: &[&str] = &[
    "Document",
    "Paragraph",
    "Heading",
    "Blockquote",
    "List",
    "ListItem",
    "CodeBlock",
    "MathBlock",
    "Table",
    "TableHead",
    "TableRow",
    "TableCell",
    "ThematicBreak",
    "HTMLBlock",
    "SuperBlock",
    "Callout",
    "BlockQueryEmbed",
    "BlockQueryEmbedScript",
    "AttributeView",
    "IFrame",
    "Widget",
    "CustomBlock",
    "YamlFrontMatter",
    "FootnotesDef",
    "LinkRefDef",
    "GitConflict",
    "CodeBlockCode",
    "CodeBlockFenceInfoMarker",
    "TaskListItemMarker",
    "Text",
    "TextMark",
    "Image",
    "LinkText",
    "LinkDest",
    "LinkTitle",
    "Br",
    "Backslash",
    "HTMLEntity",
    "Emoji",
    "EmojiAlias",
    "SoftBreak",
    "HardBreak",
    "InlineHTML",
    "Strong",
    "Emphasis",
    "Link",
    "BlockRef",
    "BlockRefID",
    "CodeSpan",
    "CodeSpanContent",
    "Nonsense",
];

const WORDS: &[&str] = &[
    "",
    " ",
    "\n",
    "a",
    "* a",
    "|",
    "`",
    "``",
    "\u{200b}",
    "\u{200b}\u{200b}",
    "标签",
    "😀",
    "&lt;&amp;",
    "> x",
    "[x]",
    "select * from blocks where id='20260101000000-aaaaaaa'",
    "{}",
    "a/a",
    "1",
    "2",
    "true",
    "|width: 5px;|",
    "background-image: url(\"x\")",
    "_esc_newline_",
    "\u{0}",
    "siyuan://blocks/x",
];

const TYPES: &[&str] = &[
    "strong",
    "em",
    "s",
    "mark",
    "u",
    "sup",
    "sub",
    "kbd",
    "code",
    "tag",
    "a",
    "block-ref",
    "file-annotation-ref",
    "inline-math",
    "inline-memo",
    "text",
    "future",
];

fn word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(WORDS)
}

fn node(children: Vec<Value>) -> impl Strategy<Value = Value> {
    let types = prop::collection::vec(prop::sample::select(TYPES), 0..4);
    let property =
        prop::sample::select(&["caption", "colgroup", "colspan", "name", "title", "class"][..]);
    (prop::sample::select(KINDS), word(), word(), types, 0..4i64, (property, word()), any::<bool>())
        .prop_map(move |(kind, data, more, types, number, (property, value), flag)| {
            json!({"Type": format!("Node{kind}"), "Data": data, "TextMarkType": types.join(" "),
                "TextMarkTextContent": more, "TextMarkAHref": more, "TextMarkInlineMathContent": more,
                "TextMarkFileAnnotationRefID": "a/a", "TextMarkBlockRefID": "x", "HeadingLevel": number,
                "AttributeViewID": more, "CodeBlockInfo": "YQ==", "IsFencedCodeBlock": flag,
                "TableCellAlign": number, "TaskListItemMarker": number, "CalloutType": data,
                "ID": "20260101000000-aaaaaaa", "Properties": {property: value},
                "ListData": {"Typ": number, "Tight": flag, "Marker": "Kg==", "BulletChar": number * 21},
                "Children": children.clone()})
        })
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = node(Vec::new());
    leaf.prop_recursive(6, 60, 5, |inner| prop::collection::vec(inner, 0..5).prop_flat_map(node))
}

const KEYS: &[&str] = &[
    "ID",
    "Type",
    "Spec",
    "Data",
    "Children",
    "Properties",
    "title",
    "updated",
    "ListData",
    "Marker",
    "Typ",
    "HeadingLevel",
    "TextMarkType",
    "TextMarkTextContent",
    "TableCellAlign",
    "CodeBlockInfo",
    "keyValues",
    "views",
    "table",
    "columns",
    "values",
];

/// Any JSON at all, with the keys that mean something at any place.
fn any_json() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(KINDS).prop_map(|kind| format!("Node{kind}").into());
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
        kind,
    ];
    leaf.prop_recursive(6, 80, 8, |inner| {
        let members = (prop::sample::select(KEYS), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::from),
            prop::collection::vec(members, 0..8)
                .prop_map(|all| all.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_json_is_rendered_or_refused(children in any_json(), properties in any_json()) {
        let note = json!({"ID": "20260101000000-aaaaaaa", "Type": "NodeDocument",
            "Properties": properties, "Children": children});
        for json in [&note, &children] {
            let bytes = json.to_string().into_bytes();
            let _ = super::super::Head::parse(&bytes);
            let _ = super::super::Notebook::parse(&bytes);
            let sheet = super::super::databases::sheet(&bytes, &Nothing);
            prop_assert!(sheet.is_none_or(|sheet| sheet.csv().len() <= LARGEST));
            let Ok(tree) = Tree::parse(&bytes) else { continue };
            // No more nodes than braces, and a few that rendering adds: memory is bounded by the file.
            prop_assert!(tree.len() <= bytes.len());
            let mirror = Mirror(std::sync::Arc::new(tree.clone()));
            for library in [&Nothing as &dyn Library, &mirror] {
                match render(tree.clone(), library) {
                    Ok(text) => prop_assert!(text.len() <= LARGEST),
                    Err(error) => prop_assert!(
                        matches!(error, NoteError::TooLarge | NoteError::TooMuchMarkdown)
                    ),
                }
            }
        }
    }

    #[test]
    fn any_tree_renders(mut note in tree(), spec in 0..4u32) {
        note["Type"] = "NodeDocument".into();
        note["Spec"] = spec.to_string().into();
        let bytes = note.to_string();
        let tree = Tree::parse(bytes.as_bytes()).unwrap();
        let mirror = Mirror(std::sync::Arc::new(tree.clone()));
        for library in [&Nothing as &dyn Library, &mirror] {
            match render(tree.clone(), library) {
                Ok(text) => {
                    prop_assert!(text.len() <= LARGEST && text.ends_with('\n'));
                    prop_assert_eq!(&text, &render(tree.clone(), library).unwrap(), "twice the same");
                }
                Err(error) => prop_assert!(
                    matches!(error, NoteError::TooLarge | NoteError::TooMuchMarkdown)
                ),
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Tree::parse(&bytes);
        let _ = super::super::Head::parse(&bytes);
        let _ = super::super::databases::sheet(&bytes, &Nothing);
    }

    #[test]
    fn a_note_that_is_cut_short_is_refused(cut in 0usize..400) {
        let note = json!({"ID": "a", "Type": "NodeDocument", "Children": [text("a \u{e9} \"x\""),
            mark("strong", "标签")]}).to_string();
        let cut = cut.min(note.len() - 1);
        prop_assert!(Tree::parse(&note.as_bytes()[..cut]).is_err());
    }
}
