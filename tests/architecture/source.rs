//! Reads Rust files as tokens: comments are gone, strings are single tokens, and code for tests is left
//! out.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

pub struct Source {
    /// Relative to the repository's root.
    pub path: String,
    /// Its place among the crate's modules: `src/a/b.rs` is `["a", "b"]`, a crate's root is `[]`.
    pub module: Vec<String>,
    pub tokens: Vec<Token>,
    /// The file as it stands, comments and all.
    pub text: String,
}

pub struct Token {
    /// An identifier, a punctuation mark (`::` is one), a bracket or a literal.
    pub text: String,
    pub line: usize,
}

impl Source {
    /// Reads a file's text; beside it the names of modules in files that only tests compile.
    pub fn parse(path: String, module: Vec<String>, text: &str) -> (Self, Vec<String>) {
        let stream: TokenStream = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        let mut reader = Reader::default();
        reader.read(stream);
        (Self { path, module, tokens: reader.tokens, text: text.to_owned() }, reader.test_modules)
    }

    /// Where a sequence of tokens stands, by line.
    pub fn find<'a>(&'a self, pattern: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
        self.tokens
            .windows(pattern.len())
            .filter(move |window| {
                window.iter().zip(pattern).all(|(token, text)| token.text == *text)
            })
            .map(|window| window[0].line)
    }

    /// The values of string literals, and their lines.
    pub fn strings(&self) -> impl Iterator<Item = (String, usize)> + '_ {
        self.tokens.iter().filter_map(|token| match syn::parse_str::<syn::Lit>(&token.text) {
            Ok(syn::Lit::Str(text)) => Some((text.value(), token.line)),
            _ => None,
        })
    }

    /// Names directly below the crate's root that the file's paths go through, and their lines.
    pub fn root_names(&self) -> Vec<(String, usize)> {
        let mut names = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let start = at;
            let supers = self.count_supers(&mut at);
            if supers == 0 && self.text_at(at) == "crate" && self.text_at(at + 1) == "::" {
                at += 2;
            }
            let at_root = supers > 0 && supers == self.module.len();
            if at_root || at == start + 2 && self.text_at(start) == "crate" {
                self.names_at(at, &mut names);
            }
            at = at.max(start + 1);
        }
        names
    }

    /// Passes over `super::super::` and counts it.
    fn count_supers(&self, at: &mut usize) -> usize {
        let mut supers = 0;
        while self.text_at(*at) == "super" && self.text_at(*at + 1) == "::" {
            supers += 1;
            *at += 2;
        }
        supers
    }

    /// The name at a place, or the first names of all branches in braces.
    fn names_at(&self, at: usize, names: &mut Vec<(String, usize)>) {
        let Some(token) = self.tokens.get(at) else { return };
        if token.text != "{" {
            names.push((token.text.clone(), token.line));
            return;
        }
        let mut depth = 0;
        for pair in self.tokens[at..].windows(2) {
            match pair[0].text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return;
            }
            let begins = depth == 1 && [",", "{"].contains(&pair[0].text.as_str());
            if begins && pair[1].text != "}" {
                names.push((pair[1].text.clone(), pair[1].line));
            }
        }
    }

    fn text_at(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }
}

/// All files below a folder such as `shards/src`, without those that only tests compile.
pub fn below(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join(folder), &mut paths);
    assert!(!paths.is_empty(), "there is nothing in {folder}");
    paths.sort();

    let mut for_tests = HashSet::new();
    let mut sources = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let module = module(path.strip_prefix(root.join(folder)).unwrap());
        let (source, test_modules) = Source::parse(name, module, &text);
        let module_folder = module_folder(&path);
        for name in test_modules {
            for_tests.insert(module_folder.join(format!("{name}.rs")));
            for_tests.insert(module_folder.join(name));
        }
        sources.push((path, source));
    }
    sources.retain(|(path, _)| !path.ancestors().any(|part| for_tests.contains(part)));
    sources.into_iter().map(|(_, source)| source).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn is_root_file(path: &Path) -> bool {
    ["mod.rs", "lib.rs", "main.rs"].iter().any(|name| path.ends_with(name))
}

/// Where the modules stand that a file declares.
fn module_folder(path: &Path) -> PathBuf {
    if is_root_file(path) { path.with_file_name("") } else { path.with_extension("") }
}

fn module(path: &Path) -> Vec<String> {
    let path = if is_root_file(path) { path.with_file_name("") } else { path.with_extension("") };
    path.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
}

#[derive(Default)]
struct Reader {
    tokens: Vec<Token>,
    /// Modules in files of their own that only tests compile.
    test_modules: Vec<String>,
}

impl Reader {
    fn read(&mut self, stream: TokenStream) {
        let trees: Vec<TokenTree> = stream.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            match attribute(&trees[at..]) {
                Some(Attribute::Doc) => at += 2,
                Some(Attribute::ForTests) => {
                    let end = item_end(&trees, at + 2);
                    self.test_modules.extend(declared_module(&trees[at..end]));
                    at = end;
                }
                None => {
                    self.take(&trees, at);
                    at += if is_path_separator(&trees[at..]) { 2 } else { 1 };
                }
            }
        }
    }

    fn take(&mut self, trees: &[TokenTree], at: usize) {
        let tree = &trees[at];
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                self.push(open, group.span_open().start().line);
                self.read(group.stream());
                self.push(close, group.span_close().start().line);
            }
            _ if is_path_separator(&trees[at..]) => self.push("::", tree.span().start().line),
            _ => self.push(&tree.to_string(), tree.span().start().line),
        }
    }

    fn push(&mut self, text: &str, line: usize) {
        self.tokens.push(Token { text: text.to_owned(), line });
    }
}

fn is_punct(tree: Option<&TokenTree>, mark: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn is_path_separator(trees: &[TokenTree]) -> bool {
    is_punct(trees.first(), ':') && is_punct(trees.get(1), ':')
}

enum Attribute {
    Doc,
    ForTests,
}

/// The attribute that stands at the beginning, where it is one that matters.
fn attribute(trees: &[TokenTree]) -> Option<Attribute> {
    let (true, Some(TokenTree::Group(group))) = (is_punct(trees.first(), '#'), trees.get(1)) else {
        return None;
    };
    let text = group.stream().to_string().replace(' ', "");
    match text.as_str() {
        "test" | "cfg(test)" => Some(Attribute::ForTests),
        _ if text.starts_with("cfg(all(test,") => Some(Attribute::ForTests),
        _ if text.starts_with("doc=") => Some(Attribute::Doc),
        _ => None,
    }
}

/// The end of the item (or field, or statement) that an attribute belongs to.
fn item_end(trees: &[TokenTree], start: usize) -> usize {
    let mut is_item = false;
    let mut is_braced = true;
    let mut at = start;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Punct(punct) if punct.as_char() == ';' => return at + 1,
            TokenTree::Punct(punct) if punct.as_char() == ',' && !is_item => return at + 1,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && is_braced => {
                return at + 1;
            }
            TokenTree::Ident(word) => match word.to_string().as_str() {
                "use" | "let" | "const" | "static" | "type" => (is_item, is_braced) = (true, false),
                "fn" | "mod" | "impl" | "struct" | "enum" | "trait" | "macro_rules" => {
                    (is_item, is_braced) = (true, true);
                }
                _ => {}
            },
            _ => {}
        }
        at += 1;
    }
    at
}

/// The name in `mod name;`.
fn declared_module(item: &[TokenTree]) -> Option<String> {
    item.windows(3).find_map(|window| match window {
        [TokenTree::Ident(keyword), TokenTree::Ident(name), end]
            if keyword == "mod" && is_punct(Some(end), ';') =>
        {
            Some(name.to_string())
        }
        _ => None,
    })
}
