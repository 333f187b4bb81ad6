# A touch screen, where the firmware and the board have one.
import lcd


class Touch:
    # poll() gives ("touch", x, y), ("drag", x, y), ("up", x, y) in dots of the screen, or None.
    def __init__(self, name, wanted=True):
        self.driver = None
        self.last = None
        if not wanted:
            return
        try:
            import touchscreen

            if name.startswith("amigo"):
                # The driver's own pins are 30 and 31, which is the Amigo's BACK key.
                from machine import I2C

                bus = I2C(I2C.I2C0, freq=400000, scl=24, sda=27)
                touchscreen.init(i2c=bus, type=touchscreen.FT62XX)
            else:
                touchscreen.init(type=touchscreen.NS2009)
            self.driver = touchscreen
        except ImportError:
            pass  # not in this build
        except Exception as error:  # nothing answers
            print("maixforge: no touch screen:", error)

    def poll(self):
        if not self.driver:
            return None
        status, x, y = self.driver.read()
        if status in (self.driver.STATUS_PRESS, self.driver.STATUS_MOVE):
            place = self.on_screen(x, y)
            event = "drag" if self.last else "touch"
            if self.last == place:
                return None
            self.last = place
        elif self.last:
            event, place, self.last = "up", self.last, None
        else:
            return None
        return event, place[0], place[1]

    def on_screen(self, x, y):
        # The driver counts as the screen stands without rotation.
        width, height = lcd.width(), lcd.height()
        turn = lcd.rotation()
        if turn & 1:
            x, y = (y, height - 1 - x) if turn == 1 else (width - 1 - y, x)
        elif turn == 2:
            x, y = width - 1 - x, height - 1 - y
        return max(0, min(width - 1, x)), max(0, min(height - 1, y))
