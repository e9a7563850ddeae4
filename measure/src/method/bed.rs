//! The test bed: a device, who watches, and what every trial of every test has in common (RFC 2544 23).

use std::time::Duration;

use crate::results::Test;
use crate::trial::{Device, Glimpse, Load, Path, Reset, Trial};

use super::{Bounds, Finished, MethodError, Observer, Progress, Timing, Traffic};

/// What tests are made on.
pub struct TestBed<'a> {
    device: &'a mut dyn Device,
    observer: &'a mut dyn Observer,
    timing: Timing,
    /// Trials were made: the next one waits until the device has come to rest.
    is_used: bool,
}

/// Why a test does not go on.
#[derive(Debug)]
pub(super) enum Halt {
    /// The observer said so.
    Stopped,
    /// It cannot.
    Failed(MethodError),
}

impl<E: Into<MethodError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A trial, or one that the tester could not make.
#[derive(Debug)]
pub(super) enum Sounding {
    /// The sender did its part.
    Sound(Box<Trial>),
    /// It fell short each time.
    Refused,
}

/// What is known when a trial is begun.
pub(super) struct Plan<'a> {
    pub test: Test,
    pub traffic: &'a Traffic,
    pub what: &'a str,
    pub made: u32,
    pub bounds: &'a [Bounds],
    /// Estimated time until the test ends, with this trial.
    pub left: Duration,
}

/// What else is done in a trial, each time that it is looked at.
pub(super) type Meanwhile<'a> = &'a mut dyn FnMut(Glimpse) -> Result<(), MethodError>;

impl<'a> TestBed<'a> {
    /// A bed for any number of tests, one after another.
    pub fn new(device: &'a mut dyn Device, observer: &'a mut dyn Observer, timing: Timing) -> Self {
        Self {
            device,
            observer,
            timing,
            is_used: false,
        }
    }

    /// How long trials take.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// What is known of the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.device.path()
    }

    pub(super) fn resetter(
        &self,
        what: Reset,
    ) -> Result<Box<dyn FnMut() -> Result<(), crate::trial::DeviceError>>, MethodError> {
        Ok(self.device.resetter(what)?)
    }

    /// Offers `load` once. A trial that was ended early is shown to the observer and stops the test.
    pub(super) fn offer(
        &mut self,
        plan: &Plan<'_>,
        load: &Load,
        meanwhile: Meanwhile<'_>,
    ) -> Result<Trial, Halt> {
        let trial = self.run(plan, load, false, meanwhile)?;
        self.observer.finished(&Finished {
            test: plan.test,
            traffic: plan.traffic,
            load,
            trial: &trial,
        });
        if trial.is_partial {
            return Err(Halt::Stopped);
        }
        Ok(trial)
    }

    /// Offers `load` until a trial is `sound`, as often as the timing allows.
    pub(super) fn sound(
        &mut self,
        plan: &Plan<'_>,
        load: &Load,
        made: &mut u32,
        sound: impl Fn(&Trial) -> bool,
    ) -> Result<Sounding, Halt> {
        for _ in 0..self.timing.attempts.max(1) {
            let plan = Plan {
                made: *made,
                ..*plan
            };
            let trial = self.offer(&plan, load, &mut |_| Ok(()))?;
            *made += 1;
            if sound(&trial) {
                return Ok(Sounding::Sound(Box::new(trial)));
            }
        }
        Ok(Sounding::Refused)
    }

    /// Traffic before the first trial of a test, if the timing has any.
    pub(super) fn warm_up(&mut self, plan: &Plan<'_>) -> Result<(), Halt> {
        let Some(warm_up) = self.timing.warm_up else {
            return Ok(());
        };
        let load = plan
            .traffic
            .load(warm_up.load, warm_up.duration, self.timing.drain);
        let trial = self.run(plan, &load, true, &mut |_| Ok(()))?;
        if trial.is_partial {
            return Err(Halt::Stopped);
        }
        Ok(())
    }

    fn run(
        &mut self,
        plan: &Plan<'_>,
        load: &Load,
        is_warm_up: bool,
        meanwhile: Meanwhile<'_>,
    ) -> Result<Trial, Halt> {
        if !self.observer.goes_on(None) {
            return Err(Halt::Stopped);
        }
        if self.is_used && !self.timing.restabilise.is_zero() {
            self.observer.pause(self.timing.restabilise);
            if !self.observer.goes_on(None) {
                return Err(Halt::Stopped);
            }
        }
        self.is_used = true;
        self.observer.begins(&Progress {
            test: plan.test,
            traffic: plan.traffic,
            what: plan.what,
            load,
            is_warm_up,
            made: plan.made,
            bounds: plan.bounds,
            left: plan.left,
        });
        let observer = &mut *self.observer;
        let mut failure = None;
        let trial = self.device.offer(load, &mut |glimpse| {
            if let Err(error) = meanwhile(glimpse) {
                failure = Some(error);
                return false;
            }
            observer.goes_on(Some(glimpse))
        })?;
        match failure {
            Some(error) => Err(Halt::Failed(error)),
            None => Ok(trial),
        }
    }
}
