//! Power series whose coefficients are worked out when somebody asks for one: McIlroy's "squinting at power series", with
//! goroutines. Each series is a goroutine behind two channels, one for demands and one for coefficients; what is made of
//! other series demands theirs. Coefficients are exact.
//!
//! ```text
//!          demand ──> ┌─────────┐ ──> demand
//!  who reads          │ product │            the factors
//!    coefficient <── └─────────┘ <── coefficient
//! ```
//!
//! A series that two read is shared by a goroutine that selects: among the demands of both, and the coefficient that is to
//! come. So one may be ahead of the other, and a series may even be made of itself: `exp` is 1 plus the integral of `exp`.
//!
//! Who has enough drops its end; the goroutine behind it finds nobody who demands, ends, and drops the ends it has: so whole
//! networks end, from the reader on.

#![expect(unsafe_code, reason = "making a runtime is the one unsafe call of a program")]
#![expect(clippy::print_stdout, reason = "prints its results")]

use clap::Parser;
use sixtyone::chan::{self, Receiver, Sender};
use sixtyone::{Runtime, runtime, select, spawn, yield_now};
use std::collections::VecDeque;
use std::fmt;
use std::io;

/// Print the first coefficients of some power series, as exact fractions.
#[derive(Debug, Parser)]
struct Args {
    /// How many of each; a series ends before one that does not fit into 128 bits
    #[arg(default_value_t = 10)]
    n: usize,
}

/// A fraction in lowest terms, with a positive denominator. What does not fit is None.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ratio {
    num: i128,
    den: i128,
}

fn gcd(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i128::try_from(a).unwrap_or(1)
}

impl Ratio {
    const ZERO: Ratio = Ratio::whole(0);
    const ONE: Ratio = Ratio::whole(1);

    const fn whole(num: i128) -> Ratio {
        Ratio { num, den: 1 }
    }

    fn plus(self, other: Ratio) -> Option<Ratio> {
        let common = gcd(self.den, other.den);
        let (mine, theirs) = (other.den / common, self.den / common);
        let num = self.num.checked_mul(mine)?.checked_add(other.num.checked_mul(theirs)?)?;
        let den = self.den.checked_mul(mine)?;
        let common = gcd(num, den);
        Some(Ratio { num: num / common, den: den / common })
    }

    fn times(self, other: Ratio) -> Option<Ratio> {
        let (one, two) = (gcd(self.num, other.den), gcd(other.num, self.den));
        let num = (self.num / one).checked_mul(other.num / two)?;
        Some(Ratio { num, den: (self.den / two).checked_mul(other.den / one)? })
    }

    /// None of zero.
    fn inverse(self) -> Option<Ratio> {
        Some(Ratio { num: self.den.checked_mul(self.num.signum())?, den: self.num.checked_abs()? })
            .filter(|inverse| inverse.den != 0)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.den {
            1 => write!(f, "{}", self.num),
            den => write!(f, "{}/{den}", self.num),
        }
    }
}

/// The reader's end of a series. There is at most one demand to be answered, so no send ever waits.
struct Series {
    demand: Sender<()>,
    coefficients: Receiver<Ratio>,
}

/// The other end.
struct Source {
    demands: Receiver<()>,
    answer: Sender<Ratio>,
}

fn line() -> (Series, Source) {
    let ((demand, demands), (answer, coefficients)) = (chan::buffered(1), chan::buffered(1));
    (Series { demand, coefficients }, Source { demands, answer })
}

impl Series {
    /// A goroutine that asks `next` for a coefficient whenever one is demanded; it ends with the first None.
    fn made_by(mut next: impl FnMut() -> Option<Ratio> + Send + 'static) -> Series {
        let (series, source) = line();
        spawn(move || {
            while source.demands.recv().is_ok()
                && let Some(coefficient) = next()
                && source.answer.send(coefficient).is_ok()
            {}
        });
        series
    }

    /// Demands a coefficient; it is to be received.
    fn ask(&self) -> Option<()> {
        self.demand.send(()).ok()
    }
}

impl Iterator for Series {
    type Item = Ratio;

    fn next(&mut self) -> Option<Ratio> {
        self.ask()?;
        self.coefficients.recv().ok()
    }
}

/// The next coefficient of each; they are worked out at the same time.
fn next_of_both(u: &Series, v: &Series) -> Option<(Ratio, Ratio)> {
    u.ask().and(v.ask())?;
    Some((u.coefficients.recv().ok()?, v.coefficients.recv().ok()?))
}

/// One of two who read the same series.
struct Reader {
    source: Source,
    waits: bool,
    /// What the other has got, and this one has not asked for.
    behind: VecDeque<Ratio>,
}

impl Reader {
    fn new(source: Source) -> Reader {
        Reader { source, waits: false, behind: VecDeque::new() }
    }

    /// Answers, if that can be done. True: it waits for a coefficient that nobody has asked for yet.
    fn serve(&mut self) -> bool {
        if self.waits
            && let Some(coefficient) = self.behind.pop_front()
        {
            // It may have gone; its next demand says so.
            let _gone = self.source.answer.send(coefficient);
            self.waits = false;
        }
        self.waits
    }
}

/// Lets two read a series, each at its own pace, until the first, or both, have gone.
fn share(series: &Series, first: Source, second: Source, while_first: bool) {
    let (mut first, mut second) = (Reader::new(first), Reader::new(second));
    let (mut asked, mut left) = (false, if while_first { 1 } else { 2 });
    while left > 0 {
        select! {
            recv(first.source.demands) -> demand => match demand {
                Ok(()) => first.waits = true,
                Err(_) => (first.source.demands, left) = (chan::never(), left - 1),
            },
            recv(second.source.demands) -> demand => match demand {
                Ok(()) => second.waits = true,
                Err(_) => {
                    second.source.demands = chan::never();
                    left -= usize::from(!while_first);
                }
            },
            recv(series.coefficients) -> coefficient => {
                let Ok(coefficient) = coefficient else { return };
                asked = false;
                first.behind.push_back(coefficient);
                second.behind.push_back(coefficient);
            }
        }
        let wanted = first.serve() | second.serve();
        if wanted && !asked {
            asked = series.ask().is_some();
        }
    }
}

/// The same series twice.
fn twice(series: Series) -> (Series, Series) {
    let ((a, first), (b, second)) = (line(), line());
    spawn(move || share(&series, first, second, false));
    (a, b)
}

/// A series made of itself: `make` must give its n-th coefficient having asked for less than n of its argument's.
fn fixpoint(make: impl FnOnce(Series) -> Series) -> Series {
    let ((a, first), (b, second)) = (line(), line());
    let series = make(b);
    spawn(move || share(&series, first, second, true));
    a
}

/// These, then zeros.
fn polynomial<const N: usize>(coefficients: [i128; N]) -> Series {
    let mut coefficients = coefficients.into_iter().map(Ratio::whole);
    Series::made_by(move || Some(coefficients.next().unwrap_or(Ratio::ZERO)))
}

fn sum(u: Series, v: Series) -> Series {
    Series::made_by(move || {
        let (u, v) = next_of_both(&u, &v)?;
        u.plus(v)
    })
}

fn scaled(factor: Ratio, mut u: Series) -> Series {
    Series::made_by(move || u.next()?.times(factor))
}

/// The next coefficient of a product, of all that the factors have had so far.
fn convolved(us: &[Ratio], vs: &[Ratio]) -> Option<Ratio> {
    us.iter().zip(vs.iter().rev()).try_fold(Ratio::ZERO, |sum, (u, v)| sum.plus(u.times(*v)?))
}

fn product(u: Series, v: Series) -> Series {
    let (mut us, mut vs) = (Vec::new(), Vec::new());
    Series::made_by(move || {
        let (u, v) = next_of_both(&u, &v)?;
        us.push(u);
        vs.push(v);
        convolved(&us, &vs)
    })
}

/// 1 / u. There is none if u begins with zero.
fn reciprocal(mut u: Series) -> Series {
    let (mut first, mut us, mut quotient) = (None, Vec::new(), Vec::new());
    Series::made_by(move || {
        let next = match first {
            None => *first.insert(u.next()?.inverse()?),
            Some(first) => {
                us.push(u.next()?);
                convolved(&us, &quotient)?.times(first)?.times(Ratio::whole(-1))?
            }
        };
        quotient.push(next);
        Some(next)
    })
}

fn derivative(mut u: Series) -> Series {
    let mut exponents = 0..;
    Series::made_by(move || {
        loop {
            let (exponent, coefficient) = (exponents.next()?, u.next()?);
            // The constant's is none.
            if exponent > 0 {
                return coefficient.times(Ratio::whole(exponent));
            }
        }
    })
}

/// The one that begins with `constant`.
fn integral(constant: Ratio, mut u: Series) -> Series {
    let (mut constant, mut exponents) = (Some(constant), 1..);
    Series::made_by(move || match constant.take() {
        Some(constant) => Some(constant),
        None => u.next()?.times(Ratio { num: 1, den: exponents.next()? }),
    })
}

/// e to the u, which begins with zero: its derivative is u' times itself.
fn exponential(u: Series) -> Series {
    let slope = derivative(u);
    fixpoint(|itself| integral(Ratio::ONE, product(slope, itself)))
}

/// u of v, which begins with zero: u's first coefficient, and v times what the others make of v.
fn substituted(u: Series, v: Series) -> Series {
    let (mut parts, mut rest) = (Some((u, v)), None);
    Series::made_by(move || {
        if let Some((mut u, v)) = parts.take() {
            let first = u.next()?;
            let (mut v, again) = twice(v);
            v.next().filter(|zero| *zero == Ratio::ZERO)?;
            rest = Some(product(v, substituted(u, again)));
            return Some(first);
        }
        rest.as_mut()?.next()
    })
}

fn x() -> Series {
    polynomial([0, 1])
}

fn geometric() -> Series {
    reciprocal(polynomial([1, -1]))
}

/// y'' = -y, y(0) = 0, y'(0) = 1
fn sine() -> Series {
    fixpoint(|y| integral(Ratio::ZERO, integral(Ratio::ONE, scaled(Ratio::whole(-1), y))))
}

/// y' = 1 + y^2, y(0) = 0
fn tangent() -> Series {
    fixpoint(|y| {
        let (y, again) = twice(y);
        integral(Ratio::ZERO, sum(polynomial([1]), product(y, again)))
    })
}

fn arctangent() -> Series {
    integral(Ratio::ZERO, reciprocal(polynomial([1, 0, 1])))
}

/// A row of the output: its name, and what makes it.
type Row = (&'static str, fn() -> Series);

const ROWS: [Row; 12] = [
    ("1/(1-x)", geometric),
    ("1/(1-x)^2", || derivative(geometric())),
    ("-log(1-x)", || integral(Ratio::ZERO, geometric())),
    ("exp x", || exponential(x())),
    ("sin x", sine),
    ("cos x", || derivative(sine())),
    ("tan x", tangent),
    ("sin x / cos x", || product(sine(), reciprocal(derivative(sine())))),
    ("atan x", arctangent),
    ("exp(sin x)", || exponential(sine())),
    ("exp x at sin x", || substituted(exponential(x()), sine())),
    ("tan x at atan x", || substituted(tangent(), arctangent())),
];

fn main() -> io::Result<()> {
    let args = Args::parse();
    // SAFETY: no goroutine here keeps a thread-local, or a value tied to a thread, over a call that may block.
    let rt = unsafe { Runtime::new() }?;
    rt.run(|| {
        for (name, make) in ROWS {
            let coefficients: Vec<_> = make().take(args.n).map(|c| c.to_string()).collect();
            println!("{name}: {}", coefficients.join(" "));
        }
        while runtime::num_goroutines() > 1 {
            yield_now();
        }
        println!("All series are gone");
    });
    Ok(())
}
