//! Reads a picture back: what is where in it.

use roxmltree::{Document, Node};

/// A rectangle, in pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Rect {
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    pub(crate) fn holds(&self, other: &Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && other.x + other.width <= self.x + self.width
            && other.y + other.height <= self.y + self.height
    }

    fn has(&self, (x, y): (f64, f64)) -> bool {
        // Its frame is where lines end.
        self.x + 0.5 < x && x < self.x + self.width - 0.5 && self.y < y && y < self.y + self.height
    }

    fn moved(self, (x, y): (f64, f64)) -> Self {
        Self {
            x: self.x + x,
            y: self.y + y,
            ..self
        }
    }
}

/// A text and its place.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) place: Rect,
}

/// A line: its tooltip, the class of its group, and points along its way.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) title: String,
    pub(crate) class: String,
    points: Vec<(f64, f64)>,
}

impl Line {
    /// Whether it runs through `rect`.
    pub(crate) fn crosses(&self, rect: &Rect) -> bool {
        self.points.iter().any(|point| rect.has(*point))
    }

    pub(crate) fn is_within(&self, rect: &Rect) -> bool {
        self.points.iter().all(|point| rect.has(*point))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Picture {
    pub(crate) size: (f64, f64),
    pub(crate) cards: Vec<Rect>,
    pub(crate) texts: Vec<Text>,
    pub(crate) lines: Vec<Line>,
    /// Points of arrows' heads.
    pub(crate) heads: Vec<(f64, f64)>,
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    let text = node
        .attribute(name)
        .unwrap_or_else(|| panic!("no {name}: {node:?}"));
    text.parse().unwrap()
}

/// How far the groups around a node move it.
fn moved(node: Node<'_, '_>) -> (f64, f64) {
    let transform = node
        .ancestors()
        .find_map(|node| node.attribute("transform"));
    let inside = transform.and_then(|text| text.strip_prefix("translate(")?.strip_suffix(')'));
    let Some(inside) = inside else {
        return (0.0, 0.0);
    };
    let (x, y) = inside.split_once(' ').unwrap();
    (x.parse().unwrap(), y.parse().unwrap())
}

/// Reads a picture; panics if it is not well-formed.
pub(crate) fn read(svg: &str) -> Picture {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let root = document.root_element();
    let mut picture = Picture {
        size: (number(root, "width"), number(root, "height")),
        ..Picture::default()
    };
    for node in document.descendants() {
        let class = node.attribute("class").unwrap_or_default();
        match node.tag_name().name() {
            "rect" if class == "body" => picture.cards.push(
                Rect {
                    x: number(node, "x"),
                    y: number(node, "y"),
                    width: number(node, "width"),
                    height: number(node, "height"),
                }
                .moved(moved(node)),
            ),
            "text" => picture.texts.push(text(node, class)),
            "g" if class.starts_with("line ") => picture.lines.extend(line(node, class)),
            "path" if class.starts_with("head ") => {
                let points = way(node.attribute("d").unwrap(), moved(node));
                picture.heads.push(points[0]);
            }
            _ => {}
        }
    }
    picture
}

fn text(node: Node<'_, '_>, class: &str) -> Text {
    let size = if class == "name" { 14.0 } else { 12.0 };
    let place = Rect {
        x: number(node, "x"),
        // From the top of a capital to the bottom of a comma.
        y: number(node, "y") - size * 0.8,
        width: number(node, "textLength"),
        height: size,
    };
    Text {
        text: node.text().unwrap_or_default().to_owned(),
        place: place.moved(moved(node)),
    }
}

/// A line with a tooltip; those of the legend have none.
fn line(node: Node<'_, '_>, class: &str) -> Option<Line> {
    let title = node.children().find(|child| child.has_tag_name("title"))?;
    let path = node
        .children()
        .find(|child| child.tag_name().name() == "path");
    let title = title.text().unwrap_or_default().to_owned();
    let points = match path {
        Some(path) => way(path.attribute("d").unwrap(), moved(node)),
        None => panic!("{title} has no path"),
    };
    Some(Line {
        title,
        class: class.to_owned(),
        points,
    })
}

/// Points along a path of M, L, H, V, Q, C and Z with absolute numbers, close to one another.
fn way(path: &str, (right, down): (f64, f64)) -> Vec<(f64, f64)> {
    const STEPS: u32 = 48;
    let mut points: Vec<(f64, f64)> = Vec::new();
    let starts: Vec<_> = path
        .match_indices(|c: char| c.is_ascii_alphabetic())
        .collect();
    for (at, (start, command)) in starts.iter().enumerate() {
        let end = starts.get(at + 1).map_or(path.len(), |(next, _)| *next);
        let numbers = path[start + 1..end]
            .split([' ', ','])
            .filter(|word| !word.is_empty());
        let numbers: Vec<f64> = numbers.map(|word| word.parse().unwrap()).collect();
        let here = points.last().copied().unwrap_or_default();
        let bend = match (*command, numbers.as_slice()) {
            ("M", [x, y]) => vec![(*x, *y)],
            ("L", [x, y]) => vec![here, (*x, *y)],
            ("H", [x]) => vec![here, (*x, here.1)],
            ("V", [y]) => vec![here, (here.0, *y)],
            ("Q", [a, b, x, y]) => vec![here, (*a, *b), (*x, *y)],
            ("C", [a, b, c, d, x, y]) => vec![here, (*a, *b), (*c, *d), (*x, *y)],
            ("Z", []) => vec![here],
            other => panic!("{other:?} in {path}"),
        };
        points.extend((0..=STEPS).map(|step| bezier(&bend, f64::from(step) / f64::from(STEPS))));
    }
    points.iter().map(|(x, y)| (x + right, y + down)).collect()
}

/// The point at `t` of a curve with these points (de Casteljau).
fn bezier(points: &[(f64, f64)], t: f64) -> (f64, f64) {
    if let [point] = points {
        return *point;
    }
    let between = |pair: &[(f64, f64)]| {
        let ((a, b), (c, d)) = (pair[0], pair[1]);
        (a + (c - a) * t, b + (d - b) * t)
    };
    bezier(&points.windows(2).map(between).collect::<Vec<_>>(), t)
}
